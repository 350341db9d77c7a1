/*
 * An error of a datagram socket (nobody is at the other port) is told once, by event and by
 * sio_recv; then the socket goes on.
 */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    pair_open(kind, pair);
    CHECK(getsockname(pair[1], (struct sockaddr *)&address, &length) == 0);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    void *block = block_new(end.area, 10), *piece;
    pattern_fill(block, 10, 0);
    CHECK(close(pair[1]) == 0);

    CHECK_IS(sio_send(pair[0], block, 10, SIO_QUIET), 10);
    event_data_t event = event_wait(end.ec);
    CHECK(event.ev_type == EC_EV_RECV && event.ev_fd == pair[0]);
    CHECK(event.ev_result == -1 && event.ev_errno == ECONNREFUSED);
    CHECK((event.ev_flags & EC_F_EOF) == 0);
    CHECK_ERR(sio_recv(pair[0], &piece, 10, MSG_DONTWAIT), ECONNREFUSED);
    CHECK_ERR(sio_recv(pair[0], &piece, 10, MSG_DONTWAIT), EAGAIN);
    check_no_event(end.ec, 20);

    /* Somebody opens the port. */
    pair[1] = socket_new(kind);
    CHECK(bind(pair[1], (struct sockaddr *)&address, length) == 0);
    endpoint_send(&end, block, 10, 0);
    read_message(pair[1], 10, 0);
    CHECK_OK(sio_release(end.area, block, 10));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(UDP_PAIRS, run);
    return 0;
}
