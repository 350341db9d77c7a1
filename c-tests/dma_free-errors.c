/* dma_free wants a handle that is one, and the size that was asked for: EINVAL otherwise. */
#include "check.h"

int main(void)
{
    check_start();
    dma_mem_t area = area_new(10000), other = area_new(4096);
    CHECK_ERR(dma_free(0, 10000), EINVAL);
    CHECK_ERR(dma_free(UINT64_MAX, 10000), EINVAL);
    CHECK_ERR(dma_free(area ^ 1ull << 63, 10000), EINVAL);
    CHECK_ERR(dma_free(area, 0), EINVAL);
    CHECK_ERR(dma_free(area, 9999), EINVAL);
    CHECK_ERR(dma_free(area, 12288), EINVAL);
    CHECK_ERR(dma_free(area, SIZE_MAX), EINVAL);
    CHECK_OK(dma_free(area, 10000));
    CHECK_ERR(dma_free(area, 10000), EINVAL);
    CHECK_OK(dma_free(other, 4096));
    return 0;
}
