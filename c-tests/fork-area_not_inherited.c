/* The memory of an area is not there in a child: no copy on write, no access by accident. */
#include "check.h"

int main(void)
{
    check_start();
    int ends[2];
    dma_mem_t area = area_new(1 << 16);
    void *block = block_new(area, 100);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(write(ends[1], block, 1) == 1);
    pid_t child = child_start();
    if (child == 0) {
        CHECK(write(ends[1], block, 1) == -1 && errno == EFAULT);
        _exit(0);
    }
    child_end(child);
    CHECK_OK(sio_release(area, block, 100));
    CHECK_OK(dma_free(area, 1 << 16));
    return 0;
}
