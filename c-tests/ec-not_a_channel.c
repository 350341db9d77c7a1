/* Every call on a number that is no channel of this process fails with EBADF. */
#include "refused.h"

int main(void)
{
    check_start();
    int pair[2], pipes[2];
    struct sockaddr_storage address;
    socklen_t length;
    pair_open(UNIX_STREAM, pair);
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    int listener = listener_open(TCP4, &address, &length);
    dma_mem_t area = area_new(1 << 16);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));

    channel_refuses(-1, 0, pair[0], listener, EBADF);
    channel_refuses(INT_MIN, 0, pair[0], listener, EBADF);
    channel_refuses(INT_MAX, 0, pair[0], listener, EBADF);
    channel_refuses(1 << 20, 0, pair[0], listener, EBADF);
    channel_refuses(pipes[0], 0, pair[0], listener, EBADF);
    channel_refuses(pair[0], 0, pair[0], listener, EBADF);

    ec_t ec = channel_new(0);
    int copy = dup(ec);
    CHECK(copy >= 0);
    CHECK_OK(ec_destroy(ec));
    channel_refuses(ec, 0, pair[0], listener, EBADF);
    CHECK(close(copy) == 0);
    CHECK_OK(sio_detach(pair[0]));
    CHECK_OK(dma_free(area, 1 << 16));
    return 0;
}
