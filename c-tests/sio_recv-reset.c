/* A reset by the peer is ECONNRESET once, then the end of the stream. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    void *piece = &pair;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    close_with_reset(pair[1]);
    CHECK_ERR(sio_recv(pair[0], &piece, 10, 0), ECONNRESET);
    CHECK_IS(sio_recv(pair[0], &piece, 10, 0), 0);
    CHECK(piece == NULL);
    endpoint_close(&end);
}

int main(void)
{
    check_start();
    each_pair_attached(TCP_PAIRS, run);
    return 0;
}
