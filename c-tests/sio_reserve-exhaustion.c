/*
 * When the area is full sio_reserve gives ENOBUFS; released memory is one piece again whatever the
 * order in which it came back.
 */
#include "check.h"

#define BLOCKS 64
#define PIECE 4096

int main(void)
{
    check_start();
    const size_t size = BLOCKS * PIECE;
    dma_mem_t area = area_new(size);
    void *block[BLOCKS], *whole;
    for (unsigned order = 0; order < 4; order++) {
        for (int i = 0; i < BLOCKS; i++)
            block[i] = block_new(area, PIECE);
        CHECK_ERR(sio_reserve(area, &whole, 1), ENOBUFS);
        CHECK_ERR(sio_reserve(area, &whole, PIECE), ENOBUFS);
        for (unsigned i = 0; i < BLOCKS; i++) {
            static const unsigned stride[] = { 1, BLOCKS - 1, 37, 29 };
            CHECK_OK(sio_release(area, block[i * stride[order] % BLOCKS], PIECE));
        }
        CHECK_OK(sio_reserve(area, &whole, size));
        CHECK_ERR(sio_reserve(area, &block[0], 1), ENOBUFS);
        CHECK_OK(sio_release(area, whole, size));
    }
    CHECK_OK(dma_free(area, size));
    return 0;
}
