/* dma_disassoc wants area and size of dma_assoc, and a socket that is associated. */
#include "check.h"

int main(void)
{
    check_start();
    dma_mem_t area = area_new(1 << 16), other = area_new(1 << 16);
    int pair[2], ends[2];
    struct sio_info info;
    pair_open(TCP4, pair);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_OK(dma_assoc(pair[0], area, 8192, 0));
    CHECK_ERR(dma_disassoc(-1, area, 8192), EBADF);
    CHECK_ERR(dma_disassoc(INT_MAX, area, 8192), EBADF);
    CHECK_ERR_IN(dma_disassoc(ends[0], area, 8192), EINVAL, ENOTSOCK);
    CHECK_ERR(dma_disassoc(pair[1], area, 8192), EINVAL);
    CHECK_ERR(dma_disassoc(pair[0], area, 0), EINVAL);
    CHECK_ERR(dma_disassoc(pair[0], area, 4096), EINVAL);
    CHECK_ERR(dma_disassoc(pair[0], area, 1 << 16), EINVAL);
    CHECK_ERR(dma_disassoc(pair[0], other, 8192), EINVAL);
    CHECK_ERR(dma_disassoc(pair[0], 0, 8192), EINVAL);
    CHECK_OK(sio_info(pair[0], &info, sizeof info));
    CHECK_OK(dma_disassoc(pair[0], area, 8192));
    CHECK_ERR(dma_disassoc(pair[0], area, 8192), EINVAL);
    CHECK_ERR(sio_info(pair[0], &info, sizeof info), EINVAL);
    CHECK_OK(dma_free(area, 1 << 16));
    CHECK_OK(dma_free(other, 1 << 16));
    return 0;
}
