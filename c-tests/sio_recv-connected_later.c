/* What comes on a connection that was made when the socket was in the channel is received without an
 * event having been fetched, also if the connection is over by then. */
#include "check.h"

static void run(enum pair_kind kind)
{
    struct sockaddr_storage address;
    socklen_t length;
    void *piece = NULL;
    int listener = listener_open(kind, &address, &length);
    struct endpoint end = endpoint_open(socket_new(kind), 1 << 20, ATTACHED);

    set_nonblocking(end.sock, 1);
    CHECK_ERR(sio_recv(end.sock, &piece, 10, 0), ENOTCONN);
    check_no_event(end.ec, 5);
    CHECK(connect(end.sock, (struct sockaddr *)&address, length) == 0 || errno == EINPROGRESS);
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(peer >= 0);
    write_message(peer, 10, 0);
    close_with_reset(peer);
    CHECK_IS(sio_recv(end.sock, &piece, 10, 0), 10);
    CHECK_PATTERN(piece, 10, 0);
    CHECK_OK(sio_release(end.area, piece, 10));
    CHECK_ERR(sio_recv(end.sock, &piece, 10, 0), ECONNRESET);
    CHECK_OK(sio_recv(end.sock, &piece, 10, 0));
    CHECK(piece == NULL);
    endpoint_close(&end);
    CHECK(close(listener) == 0);
}

int main(void)
{
    check_start();
    each_pair(TCP_PAIRS, run);
    return 0;
}
