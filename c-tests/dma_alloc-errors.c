/* dma_alloc refuses a size of 0, unknown flags and no place for the handle, and maps nothing. */
#include "check.h"

int main(void)
{
    check_start();
    dma_mem_t area = 4711;
    CHECK_ERR(dma_alloc(&area, 0, 0), EINVAL);
    CHECK_ERR(dma_alloc(NULL, 4096, 0), EFAULT);
    const unsigned known = DMA_HUGE | DMA_HUGE_ONLY | DMA_ENGINE_IO_URING | DMA_ENGINE_EPOLL |
                           DMA_ENGINE_AF_XDP;
    for (int bit = 0; bit < 32; bit++)
        if ((1u << bit & known) == 0)
            CHECK_ERR(dma_alloc(&area, 4096, 1u << bit), EINVAL);
    CHECK_ERR_IN(dma_alloc(&area, SIZE_MAX, 0), ENOMEM, EINVAL);
    CHECK_ERR_IN(dma_alloc(&area, SIZE_MAX - 4095, 0), ENOMEM, EINVAL);
    CHECK_ERR(dma_alloc(&area, (size_t)1 << 60, 0), ENOMEM);
    CHECK(area == 4711);
    return 0;
}
