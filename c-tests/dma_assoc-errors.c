/* dma_assoc refuses what it cannot serve: each error of the manual page. */
#include "check.h"

int main(void)
{
    check_start();
    dma_mem_t area = area_new(1 << 16);
    int pair[2], ends[2];
    pair_open(TCP4, pair);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);

    CHECK_ERR(dma_assoc(-1, area, 0, 0), EBADF);
    CHECK_ERR(dma_assoc(INT_MAX, area, 0, 0), EBADF);
    CHECK_ERR(dma_assoc(ends[0], area, 0, 0), ENOTSOCK);
    CHECK_ERR(dma_assoc(pair[0], 0, 0, 0), EINVAL);
    CHECK_ERR(dma_assoc(pair[0], area + 1, 0, 0), EINVAL);
    CHECK_ERR(dma_assoc(pair[0], area, (1 << 16) + 1, 0), EINVAL);
    CHECK_ERR(dma_assoc(pair[0], area, SIZE_MAX, 0), EINVAL);
    for (int bit = 0; bit < 32; bit++)
        if ((1u << bit & (DMA_ENGINE_IO_URING | DMA_ENGINE_EPOLL | DMA_ENGINE_AF_XDP)) == 0)
            CHECK_ERR(dma_assoc(pair[0], area, 0, 1u << bit), EINVAL);

    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (netlink >= 0)
        CHECK_ERR(dma_assoc(netlink, area, 0, 0), EAFNOSUPPORT);
    int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);
    if (raw >= 0)
        CHECK_ERR(dma_assoc(raw, area, 0, 0), EPROTONOSUPPORT);

    CHECK_OK(dma_assoc(pair[0], area, 1 << 16, 0));
    CHECK_ERR(dma_assoc(pair[0], area, 0, 0), EBUSY);
    CHECK_OK(dma_disassoc(pair[0], area, 1 << 16));
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    CHECK_OK(sio_detach(pair[0]));
    CHECK_OK(dma_free(area, 1 << 16));
    return 0;
}
