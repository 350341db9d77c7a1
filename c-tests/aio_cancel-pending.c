/*
 * aio_cancel takes back requests that wait: AIO_CANCELED, the block says ECANCELED, its
 * notification comes, and nothing is read any more. With nothing to cancel AIO_ALLDONE. A request
 * that has begun to write goes on when all of a descriptor are cancelled. A descriptor that is not
 * open is EBADF, one that is not the request's EINVAL.
 */
#include "aio.h"

#define COUNT 10

static void check_reads(int reader, int writer)
{
    char buffers[COUNT][4], rest[4];
    struct aiocb blocks[COUNT];
    int other = aio_file(0);

    CHECK_IS(aio_cancel(reader, NULL), AIO_ALLDONE);
    CHECK_ERR(aio_cancel(-1, NULL), EBADF);
    CHECK_ERR(aio_cancel(1000, NULL), EBADF);
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = aio_block(reader, buffers[i], 4, 0);
        CHECK_OK(aio_read(&blocks[i]));
    }
    CHECK_ERR(aio_cancel(other, &blocks[3]), EINVAL);
    CHECK_IS(aio_cancel(other, NULL), AIO_ALLDONE);
    CHECK_IS(aio_cancel(reader, &blocks[3]), AIO_CANCELED);
    CHECK_IS(aio_error(&blocks[3]), ECANCELED);
    CHECK(aio_return(&blocks[3]) == -1);
    CHECK_IS(aio_cancel(reader, &blocks[3]), AIO_ALLDONE);
    CHECK_IS(aio_cancel(reader, &blocks[0]), AIO_CANCELED);
    CHECK(write(writer, "text", 4) == 4);
    CHECK_DONE(&blocks[1], 4);
    CHECK_IS(aio_cancel(reader, &blocks[1]), AIO_ALLDONE);
    CHECK_IS(aio_error(&blocks[2]), EINPROGRESS);
    CHECK_IS(aio_cancel(reader, NULL), AIO_CANCELED);
    for (int i = 2; i < COUNT; i++)
        CHECK_IS(aio_error(&blocks[i]), ECANCELED);
    CHECK(write(writer, "left", 4) == 4);
    CHECK(read(reader, rest, 4) == 4);
    CHECK(memcmp(rest, "left", 4) == 0);
    CHECK(close(other) == 0);
}

static void check_notification(int reader)
{
    char buffer[4];
    sigset_t set;
    siginfo_t info;
    struct aiocb block = aio_block(reader, buffer, 4, 0);

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, &set, NULL));
    block.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    block.aio_sigevent.sigev_signo = SIGRTMIN;
    CHECK_OK(aio_read(&block));
    CHECK_IS(aio_cancel(reader, &block), AIO_CANCELED);
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN);
    CHECK_IS(aio_error(&block), ECANCELED);
}

static void check_writes(int reader, int writer)
{
    static char big[300 * 1024];
    struct aiocb blocks[3];
    size_t count = 0;

    for (int i = 0; i < 3; i++) {
        blocks[i] = aio_block(writer, big, sizeof big, 0);
        CHECK_OK(aio_write(&blocks[i]));
    }
    CHECK_IS(aio_cancel(writer, NULL), AIO_NOTCANCELED);
    CHECK_IS(aio_error(&blocks[0]), EINPROGRESS);
    CHECK_IS(aio_error(&blocks[1]), ECANCELED);
    CHECK_IS(aio_error(&blocks[2]), ECANCELED);
    while (count < sizeof big) {
        ssize_t some = read(reader, big, sizeof big - count);
        CHECK(some > 0);
        count += (size_t)some;
    }
    CHECK_DONE(&blocks[0], sizeof big);
}

int main(void)
{
    int pair[2];

    check_start();
    CHECK(pipe(pair) == 0);
    check_reads(pair[0], pair[1]);
    check_notification(pair[0]);
    check_writes(pair[0], pair[1]);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    check_reads(pair[0], pair[1]);
    check_notification(pair[0]);
    check_writes(pair[0], pair[1]);
    return 0;
}
