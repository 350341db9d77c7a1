/*
 * aio_fsync refuses an operation that there is not, EINVAL, and a descriptor that is not open,
 * EBADF. That a file cannot be synchronised is told by the block: EINVAL.
 */
#include "aio.h"

int main(void)
{
    int fd = aio_file(0), pipes[2];

    check_start();
    CHECK(pipe(pipes) == 0);
    struct aiocb block = aio_block(fd, NULL, 0, 0);
    CHECK_ERR(aio_fsync(0, &block), EINVAL);
    CHECK_ERR(aio_fsync(-1, &block), EINVAL);
    CHECK_ERR(aio_fsync(O_SYNC | O_DSYNC | 1, &block), EINVAL);
    block.aio_fildes = -1;
    CHECK_ERR(aio_fsync(O_SYNC, &block), EBADF);
    block.aio_fildes = 1000;
    CHECK_ERR(aio_fsync(O_DSYNC, &block), EBADF);
    block.aio_fildes = pipes[1];
    CHECK_OK(aio_fsync(O_SYNC, &block));
    CHECK_FAILED(&block, EINVAL);
    block = aio_block(fd, NULL, 0, 0);
    block.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    block.aio_sigevent.sigev_signo = 99;
    CHECK_OK(aio_fsync(O_SYNC, &block));
    CHECK_FAILED(&block, EINVAL);
    return 0;
}
