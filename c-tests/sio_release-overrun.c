/* A program that overruns its block cannot damage the allocator, whose state is elsewhere. */
#include "check.h"

int main(void)
{
    check_start();
    const size_t size = 1 << 16;
    dma_mem_t area = area_new(size);
    void *base;
    size_t mapped;
    void *block[8];
    CHECK_OK(dma_base(area, &base, &mapped));
    for (int i = 0; i < 8; i++)
        block[i] = block_new(area, 1000);
    memset(base, 0xff, mapped);
    for (int i = 0; i < 8; i += 2)
        CHECK_OK(sio_release(area, block[i], 1000));
    memset(base, 0x00, mapped);
    for (int i = 1; i < 8; i += 2)
        CHECK_OK(sio_release(area, block[i], 1000));
    void *whole = block_new(area, size);
    CHECK_OK(sio_release(area, whole, size));
    CHECK_OK(dma_free(area, size));
    return 0;
}
