/* Reserved blocks lie inside the area, at multiples of 64 bytes, and do not overlap. */
#include "check.h"

int main(void)
{
    check_start();
    dma_mem_t area = area_new(1 << 18);
    static const size_t sizes[] = { 1, 2, 63, 64, 65, 100, 128, 1000, 4095, 4096, 4097, 9000 };
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    unsigned char *block[COUNT];
    void *base;
    size_t size;
    CHECK_OK(dma_base(area, &base, &size));
    for (size_t i = 0; i < COUNT; i++) {
        block[i] = block_new(area, sizes[i]);
        CHECK((uintptr_t)block[i] % 64 == 0);
        CHECK(block[i] >= (unsigned char *)base);
        CHECK(block[i] + sizes[i] <= (unsigned char *)base + size);
        memset(block[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t at = 0; at < sizes[i]; at++)
            CHECK(block[i][at] == i + 1);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_OK(sio_release(area, block[i], sizes[i]));
    CHECK_OK(dma_free(area, 1 << 18));
    return 0;
}
