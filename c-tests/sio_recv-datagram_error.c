/* A datagram socket in no channel: ECONNREFUSED is told by the next receive, once. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    void *piece;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    void *block = block_new(end.area, 1);
    CHECK(close(pair[1]) == 0);
    CHECK_IS(sio_send(pair[0], block, 1, SIO_RELEASE), 1);
    CHECK_ERR(sio_recv(pair[0], &piece, 1, 0), ECONNREFUSED);
    CHECK_ERR(sio_recv(pair[0], &piece, 1, MSG_DONTWAIT), EAGAIN);
    endpoint_close(&end);
}

int main(void)
{
    check_start();
    each_pair(UDP_PAIRS, run);
    return 0;
}
