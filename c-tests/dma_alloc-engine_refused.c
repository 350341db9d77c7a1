/*
 * An area that insists on an engine which is refused cannot be used: dma_alloc or dma_assoc fails
 * with the errno of the refusal. Another area can.
 */
#include "check.h"
#include "deny.h"

int main(void)
{
    check_start();
    dma_mem_t area;
    int pair[2];
    CHECK(setenv("SIO_ENGINE", "io_uring,epoll", 1) == 0);
    CHECK(unsetenv("SIO_REQUIRE") == 0);
    pair_open(TCP4, pair);
    if (deny_io_uring(ENOSYS) == -1)
        check_skip("seccomp filters are not allowed here");
    errno = 0;
    if (dma_alloc(&area, 1 << 16, DMA_ENGINE_IO_URING) == -1) {
        CHECK(errno == ENOSYS);
    } else {
        CHECK_ERR(dma_assoc(pair[0], area, 0, 0), ENOSYS);
        CHECK_OK(dma_free(area, 1 << 16));
    }
    area = area_new(1 << 16);
    CHECK_ERR(dma_assoc(pair[0], area, 0, DMA_ENGINE_IO_URING), ENOSYS);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    CHECK_OK(sio_detach(pair[0]));
    CHECK_OK(dma_free(area, 1 << 16));
    return 0;
}
