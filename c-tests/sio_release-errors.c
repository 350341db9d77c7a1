/*
 * sio_release takes exactly what was handed out, once: another pointer or size is EINVAL and
 * changes nothing.
 */
#include "check.h"

int main(void)
{
    check_start();
    const size_t size = 1 << 16;
    dma_mem_t area = area_new(size), other = area_new(size);
    unsigned char *block = block_new(area, 1000), *next = block_new(area, 64);
    void *base;
    size_t mapped;
    int outside;
    CHECK_OK(dma_base(area, &base, &mapped));
    pattern_fill(block, 1000, 0);

    CHECK_ERR(sio_release(area, block, 999), EINVAL);
    CHECK_ERR(sio_release(area, block, 1001), EINVAL);
    CHECK_ERR(sio_release(area, block, 1024), EINVAL);
    CHECK_ERR(sio_release(area, block, 0), EINVAL);
    CHECK_ERR(sio_release(area, block, SIZE_MAX), EINVAL);
    CHECK_ERR(sio_release(area, block + 1, 1000), EINVAL);
    CHECK_ERR(sio_release(area, block + 64, 936), EINVAL);
    CHECK_ERR(sio_release(area, block + 64, 1000), EINVAL);
    CHECK_ERR(sio_release(area, &outside, sizeof outside), EINVAL);
    CHECK_ERR(sio_release(area, (char *)base + mapped, 1000), EINVAL);
    CHECK_ERR(sio_release(area, (char *)base + mapped - 64, 64), EINVAL);
    CHECK_ERR_IN(sio_release(area, NULL, 1000), EINVAL, EFAULT);
    CHECK_ERR(sio_release(other, block, 1000), EINVAL);
    CHECK_ERR(sio_release(0, block, 1000), EINVAL);
    CHECK_ERR(sio_release(area ^ 1ull << 40, block, 1000), EINVAL);

    CHECK_PATTERN(block, 1000, 0);
    CHECK_ERR(dma_free(area, size), EBUSY);
    CHECK_OK(sio_release(area, block, 1000));
    CHECK_ERR(sio_release(area, block, 1000), EINVAL);
    CHECK_OK(sio_release(area, next, 64));
    CHECK_ERR(sio_release(area, next, 64), EINVAL);
    CHECK_OK(dma_free(area, size));
    CHECK_OK(dma_free(other, size));
    return 0;
}
