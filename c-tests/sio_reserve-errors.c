/* sio_reserve refuses a size of 0, a handle that is none, a null pointer, and too much. */
#include "check.h"

int main(void)
{
    check_start();
    dma_mem_t area = area_new(1 << 16);
    void *block = &area;
    CHECK_ERR(sio_reserve(area, &block, 0), EINVAL);
    CHECK_ERR(sio_reserve(0, &block, 10), EINVAL);
    CHECK_ERR(sio_reserve(area + 1, &block, 10), EINVAL);
    CHECK_ERR(sio_reserve(area, NULL, 10), EFAULT);
    CHECK_ERR(sio_reserve(area, &block, (1 << 16) + 1), ENOBUFS);
    CHECK_ERR(sio_reserve(area, &block, SIZE_MAX), ENOBUFS);
    CHECK_ERR(sio_reserve(area, &block, SIZE_MAX - 63), ENOBUFS);
    CHECK(block == &area);
    CHECK_OK(dma_free(area, 1 << 16));
    return 0;
}
