/* dma_base refuses handles that are none with EINVAL and null pointers with EFAULT. */
#include "check.h"

int main(void)
{
    check_start();
    dma_mem_t area = area_new(4096);
    void *base = &area;
    size_t size = 4711;
    CHECK_ERR(dma_base(0, &base, &size), EINVAL);
    CHECK_ERR(dma_base(area + 1, &base, &size), EINVAL);
    CHECK_ERR(dma_base(UINT64_MAX, &base, &size), EINVAL);
    CHECK_ERR(dma_base(area, NULL, &size), EFAULT);
    CHECK_ERR(dma_base(area, &base, NULL), EFAULT);
    CHECK(base == &area && size == 4711);
    CHECK_OK(dma_base(area, &base, &size));
    CHECK(size == 4096 && base != &area);
    CHECK_OK(dma_free(area, 4096));
    return 0;
}
