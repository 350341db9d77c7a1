/*
 * What is wrong with a transfer is told by aio_error, as read(2) and write(2) would: descriptors
 * that are not open or not for this, offsets and lengths that there are not, memory that is none,
 * a signal that is none. A priority out of range is refused by the call, and told as well.
 */
#include "aio.h"

static char buffer[100];

int main(void)
{
    struct aiocb block;
    int fd = aio_file(0), none = 1000, full, pipes[2], directory;

    check_start();
    CHECK(pipe(pipes) == 0);
    CHECK((full = open("/dev/full", O_RDWR)) >= 0);
    CHECK((directory = open("/", O_RDONLY)) >= 0);
    CHECK(pwrite(fd, buffer, sizeof buffer, 0) == sizeof buffer);

    block = aio_block(-1, buffer, 1, 0);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EBADF);
    block = aio_block(none, buffer, 1, 0);
    CHECK_OK(aio_write(&block));
    CHECK_FAILED(&block, EBADF);
    block = aio_block(pipes[1], buffer, 1, 0);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EBADF);
    block = aio_block(pipes[0], buffer, 1, 0);
    CHECK_OK(aio_write(&block));
    CHECK_FAILED(&block, EBADF);
    block = aio_block(directory, buffer, 1, 0);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EISDIR);

    block = aio_block(fd, buffer, 1, -1);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EINVAL);
    block = aio_block(fd, buffer, 1, -5);
    CHECK_OK(aio_write(&block));
    CHECK_FAILED(&block, EINVAL);
    block = aio_block(fd, buffer, (size_t)SSIZE_MAX + 1, 0);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EINVAL);

    block = aio_block(fd, NULL, 1, 0);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EFAULT);
    block = aio_block(fd, NULL, 1, 0);
    CHECK_OK(aio_write(&block));
    CHECK_FAILED(&block, EFAULT);

    block = aio_block(full, buffer, 1, 0);
    CHECK_OK(aio_write(&block));
    CHECK_FAILED(&block, ENOSPC);

    block = aio_block(fd, buffer, 1, 0);
    block.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    block.aio_sigevent.sigev_signo = 99;
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EINVAL);

    block = aio_block(fd, buffer, 1, 0);
    block.aio_reqprio = -1;
    CHECK_ERR(aio_read(&block), EINVAL);
    CHECK_FAILED(&block, EINVAL);
    block = aio_block(fd, buffer, 1, 0);
    block.aio_reqprio = (int)sysconf(_SC_AIO_PRIO_DELTA_MAX) + 1;
    CHECK_ERR(aio_write(&block), EINVAL);
    CHECK_FAILED(&block, EINVAL);
    block.aio_reqprio--;
    CHECK_OK(aio_write(&block));
    CHECK_DONE(&block, 1);
    return 0;
}
