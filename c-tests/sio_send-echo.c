/* A received block is sent back as it lies: same pointer, no copy by the program. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 17, attach);
    void *base;
    size_t size;
    CHECK_OK(dma_base(end.area, &base, &size));
    for (size_t i = 0; i < 200; i++) {
        void *piece;
        write_message(pair[1], 1200, i);
        endpoint_wait(&end);
        CHECK_IS(sio_recv(pair[0], &piece, 1200, 0), 1200);
        CHECK((char *)piece >= (char *)base && (char *)piece + 1200 <= (char *)base + size);
        CHECK_PATTERN(piece, 1200, i);
        if (i % 2 == 0) {
            endpoint_send(&end, piece, 1200, SIO_RELEASE);
        } else {
            endpoint_send(&end, piece, 1200, 0);
            CHECK_OK(sio_release(end.area, piece, 1200));
        }
        read_message(pair[1], 1200, i);
    }
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
