/* An area is page-aligned, whole pages, zeroed, and can be read and written from end to end. */
#include "check.h"

int main(void)
{
    check_start();
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t asked[] = { 1, 63, page - 1, page, page + 1, 5 * page, (1 << 20) + 17 };
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        dma_mem_t area = area_new(asked[i]);
        void *base;
        size_t size;
        CHECK_OK(dma_base(area, &base, &size));
        CHECK((uintptr_t)base % page == 0);
        CHECK(size == (asked[i] + page - 1) / page * page);
        unsigned char *block = block_new(area, size);
        CHECK(block == base);
        for (size_t at = 0; at < size; at++)
            CHECK(block[at] == 0);
        pattern_fill(block, size, i);
        CHECK_PATTERN(block, size, i);
        CHECK_OK(sio_release(area, block, size));
        CHECK_OK(dma_free(area, asked[i]));
    }
    return 0;
}
