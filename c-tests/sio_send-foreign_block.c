/*
 * What is sent lies within one block that the program holds in the socket's area: EFAULT for
 * anything else, and nothing is sent.
 */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2], outside = 0;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    const dma_mem_t other = area_new(1 << 16);
    char *block = block_new(end.area, 256), *next = block_new(end.area, 256);
    char *foreign = block_new(other, 256), *gone = block_new(end.area, 256);
    void *base;
    size_t size;
    CHECK_OK(dma_base(end.area, &base, &size));
    CHECK_OK(sio_release(end.area, gone, 256));
    pattern_fill(block, 256, 0);

    CHECK_ERR(sio_send(pair[0], NULL, 10, 0), EFAULT);
    CHECK_ERR(sio_send(pair[0], &outside, sizeof outside, 0), EFAULT);
    CHECK_ERR(sio_send(pair[0], foreign, 10, 0), EFAULT);
    CHECK_ERR(sio_send(pair[0], gone, 10, 0), EFAULT);
    CHECK_ERR(sio_send(pair[0], (char *)base + size, 1, 0), EFAULT);
    CHECK_ERR(sio_send(pair[0], (char *)base + size - 1, 1, 0), EFAULT);
    CHECK_ERR(sio_send(pair[0], block, 257, 0), EFAULT);
    CHECK_ERR(sio_send(pair[0], block + 1, 256, 0), EFAULT);
    CHECK_ERR(sio_send(pair[0], block - 1, 2, 0), EFAULT);
    if (next != block + 256)
        CHECK_ERR(sio_send(pair[0], block + 256, 1, 0), EFAULT);
    CHECK_ERR(sio_send(pair[0], block, 512, SIO_RELEASE), EFAULT);
    CHECK_ERR(sio_send(pair[0], block, INT_MAX, 0), EFAULT);
    check_silent(pair[1], 20);

    endpoint_send(&end, block, 256, 0);
    read_message(pair[1], 256, 0);
    CHECK_OK(sio_release(end.area, block, 256));
    CHECK_OK(sio_release(end.area, next, 256));
    CHECK_OK(sio_release(other, foreign, 256));
    CHECK_OK(dma_free(other, 1 << 16));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
