/* Of threads that free the same area at once one does, and no other area is touched by that. */
#include "rivals.h"

static dma_mem_t area;

static void make(int round)
{
    (void)round;
    area = area_new(4096);
}

static int free_it(void)
{
    if (dma_free(area, 4096) != 0)
        return -1;
    /* Takes the place of the one that is gone. */
    dma_mem_t other = area_new(8192);
    void *block = block_new(other, 10);
    CHECK_OK(sio_release(other, block, 10));
    CHECK_OK(dma_free(other, 8192));
    return 0;
}

int main(void)
{
    check_start();
    thread_rivals(3000, make, free_it);
    return 0;
}
