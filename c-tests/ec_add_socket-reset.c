/*
 * A reset by the peer: EC_EV_RECV with -1, ECONNRESET and EC_F_HUP until sio_recv has told the
 * error; then the end of the stream. Also of a socket that was connected when it was in the channel.
 */
#include "check.h"

static void reset(struct endpoint *end, int peer)
{
    void *piece = NULL;
    check_no_event(end->ec, 5);
    close_with_reset(peer);
    for (int i = 0; i < 3; i++) {
        event_data_t event = event_wait(end->ec);
        CHECK(event.ev_type == EC_EV_RECV && event.ev_fd == end->sock);
        CHECK(event.ev_result == -1);
        CHECK(event.ev_errno == ECONNRESET);
        CHECK(event.ev_flags & EC_F_HUP);
    }
    CHECK_ERR(sio_recv(end->sock, &piece, 100, 0), ECONNRESET);
    CHECK_IS(sio_recv(end->sock, &piece, 100, 0), 0);
    CHECK(piece == NULL);
    check_no_event(end->ec, 10);
    endpoint_close(end);
}

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    reset(&end, pair[1]);
}

static void run_later(enum pair_kind kind)
{
    struct sockaddr_storage address;
    socklen_t length;
    int listener = listener_open(kind, &address, &length);
    struct endpoint end = endpoint_open(socket_new(kind), 1 << 16, ATTACHED);
    check_no_event(end.ec, 5);
    CHECK(connect(end.sock, (struct sockaddr *)&address, length) == 0);
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(peer >= 0 && close(listener) == 0);
    reset(&end, peer);
}

int main(void)
{
    check_start();
    each_pair(TCP_PAIRS, run);
    each_pair(TCP_PAIRS, run_later);
    return 0;
}
