/* Areas that come and go leave no mapping and no descriptor behind. */
#include "check.h"

#define SIZE (1 << 20)

static void body(void)
{
    dma_mem_t area[2] = { area_new(SIZE), area_new(4096) };
    void *block = block_new(area[0], SIZE / 2);
    memset(block, 1, SIZE / 2);
    CHECK_OK(sio_release(area[0], block, SIZE / 2));
    CHECK_OK(dma_free(area[0], SIZE));
    CHECK_OK(dma_free(area[1], 4096));
}

int main(void)
{
    check_start();
    check_no_leak(body, SIZE);
    return 0;
}
