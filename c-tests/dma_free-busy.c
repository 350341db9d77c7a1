/* dma_free gives EBUSY while a block is out or a socket is associated, and changes nothing. */
#include "check.h"

int main(void)
{
    check_start();
    const size_t size = 1 << 16;
    dma_mem_t area = area_new(size);
    int pair[2];
    pair_open(TCP4, pair);

    unsigned char *block = block_new(area, 100);
    block[99] = 77;
    CHECK_ERR(dma_free(area, size), EBUSY);
    CHECK(block[99] == 77);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    CHECK_ERR(dma_free(area, size), EBUSY);
    CHECK_OK(sio_release(area, block, 100));
    CHECK_ERR(dma_free(area, size), EBUSY);

    /* A received block counts as one that is out. */
    void *piece;
    write_pattern(pair[1], 10, 0);
    CHECK_IS(sio_recv(pair[0], &piece, 10, 0), 10);
    CHECK_OK(sio_detach(pair[0]));
    CHECK_ERR(dma_free(area, size), EBUSY);
    CHECK_PATTERN(piece, 10, 0);
    CHECK_OK(sio_release(area, piece, 10));
    CHECK_OK(dma_free(area, size));
    return 0;
}
