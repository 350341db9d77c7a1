/*
 * A descriptor that is closed right after a request with a notification was made, and that comes
 * to mean another file: the request is done with its own file or ends with EBADF, and nothing of
 * it gets into the other. No thread of the library's runs before the file is another one: all are
 * on one processor, and the program has the right of way.
 */
#include "aio.h"

static struct aiocb told(int fd, char *buffer, size_t size)
{
    struct aiocb block = aio_block(fd, buffer, size, 0);
    block.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    block.aio_sigevent.sigev_signo = SIGRTMIN;
    return block;
}

static void be_first(void)
{
    struct sched_param first = { .sched_priority = 1 };
    if (sched_setscheduler(0, SCHED_FIFO, &first) != 0)
        check_skip("no right to SCHED_FIFO");
}

int main(void)
{
    static char buffer[4096];
    cpu_set_t one;
    struct aiocb block;
    struct stat status;
    int first = aio_file(O_SYNC), other = aio_file(O_SYNC), fd = dup(first), error;

    check_start();
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK(signal(SIGRTMIN, SIG_IGN) != SIG_ERR);
    /* From now on the library has the thread that it needs. */
    block = told(fd, buffer, sizeof buffer);
    CHECK_OK(aio_write(&block));
    CHECK_DONE(&block, sizeof buffer);
    be_first();
    for (int i = 0; i < 20; i++) {
        block = told(fd, buffer, sizeof buffer);
        CHECK_OK(aio_write(&block));
        CHECK(dup2(other, fd) == fd);
        error = aio_await(&block);
        CHECK(error == 0 || error == EBADF);
        CHECK(fstat(other, &status) == 0);
        CHECK_IS(status.st_size, 0);
        CHECK(dup2(first, fd) == fd);
    }
    return 0;
}
