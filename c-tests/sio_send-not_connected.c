/* Sending on a socket that has no peer: ENOTCONN, EDESTADDRREQ or EPIPE, as send(2) has it. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int sock = socket_new(kind), plain = socket_new(kind);
    errno = 0;
    CHECK(send(plain, "x", 1, MSG_NOSIGNAL) == -1);
    int expected = errno;
    struct endpoint end = endpoint_open(sock, 1 << 16, attach);
    void *block = block_new(end.area, 10);
    endpoint_send_fails(&end, block, 1, 0, expected, expected);
    CHECK_OK(sio_release(end.area, block, 10));
    endpoint_close(&end);
    CHECK(close(plain) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
