/* Every call for a socket without an area is EINVAL; for no descriptor at all EBADF. */
#include "check.h"

static void all_fail(int sock, const void *block, int error, int or_error)
{
    struct msghdr message;
    struct iovec part = { (void *)(uintptr_t)block, 1 };
    struct sio_info info;
    void *piece;
    const void *constant;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    CHECK_ERR_IN(sio_send(sock, block, 1, 0), error, or_error);
    CHECK_ERR_IN(sio_sendto(sock, block, 1, 0, NULL, 0), error, or_error);
    CHECK_ERR_IN(sio_sendmsg(sock, &message, sizeof message, 0), error, or_error);
    CHECK_ERR_IN(sio_recv(sock, &piece, 1, 0), error, or_error);
    CHECK_ERR_IN(sio_recvfrom(sock, &constant, 1, 0, NULL, 0), error, or_error);
    CHECK_ERR_IN(sio_recvmsg(sock, &constant, sizeof message, 0), error, or_error);
    CHECK_ERR_IN(sio_info(sock, &info, sizeof info), error, or_error);
    CHECK_ERR_IN(sio_detach(sock), error, or_error);
}

int main(void)
{
    check_start();
    int pair[2], ends[2];
    dma_mem_t area = area_new(1 << 16);
    char *block = block_new(area, 10);
    pair_open(TCP4, pair);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    all_fail(pair[0], block, EINVAL, EINVAL);
    all_fail(ends[0], block, EINVAL, ENOTSOCK);
    all_fail(-1, block, EBADF, EBADF);
    all_fail(INT_MAX, block, EBADF, EBADF);
    all_fail(1 << 19, block, EBADF, EBADF);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    CHECK_IS(sio_send(pair[0], block, 10, 0), 10);
    CHECK_OK(sio_detach(pair[0]));
    all_fail(pair[0], block, EINVAL, EINVAL);
    CHECK_OK(sio_release(area, block, 10));
    CHECK_OK(dma_free(area, 1 << 16));
    return 0;
}
