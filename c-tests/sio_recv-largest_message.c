/* The largest datagram that UDP carries is received whole. */
#include "check.h"

#define LARGEST 65507

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 20, attach);
    for (size_t i = 0; i < 3; i++) {
        void *piece;
        write_message(pair[1], LARGEST, i);
        CHECK_IS(sio_recv(pair[0], &piece, 1 << 16, 0), LARGEST);
        CHECK_PATTERN(piece, LARGEST, i);
        CHECK_OK(sio_release(end.area, piece, LARGEST));
    }
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(UDP_PAIRS, run);
    return 0;
}
