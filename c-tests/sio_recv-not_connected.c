/* Receiving on a stream that has no peer fails as recv(2) does. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    char byte;
    void *piece;
    int sock = socket_new(kind), plain = socket_new(kind);
    errno = 0;
    CHECK(recv(plain, &byte, 1, MSG_DONTWAIT) == -1);
    int expected = errno;
    struct endpoint end = endpoint_open(sock, 1 << 16, attach);
    CHECK_ERR(sio_recv(sock, &piece, 1, 0), expected);
    endpoint_close(&end);
    CHECK(close(plain) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(CONNECTION_PAIRS, run);
    return 0;
}
