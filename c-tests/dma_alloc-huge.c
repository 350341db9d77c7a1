/* DMA_HUGE falls back to ordinary pages; DMA_HUGE_ONLY insists, and gives ENOMEM without them. */
#include "check.h"

int main(void)
{
    check_start();
    dma_mem_t area;
    CHECK_OK(dma_alloc(&area, 4 << 20, DMA_HUGE));
    void *block = block_new(area, 1 << 20);
    memset(block, 1, 1 << 20);
    CHECK_OK(sio_release(area, block, 1 << 20));
    CHECK_OK(dma_free(area, 4 << 20));

    errno = 0;
    if (dma_alloc(&area, 4 << 20, DMA_HUGE_ONLY) == -1) {
        CHECK(errno == ENOMEM);
    } else {
        block = block_new(area, 4 << 20);
        memset(block, 1, 4 << 20);
        CHECK_OK(sio_release(area, block, 4 << 20));
        CHECK_OK(dma_free(area, 4 << 20));
    }
    return 0;
}
