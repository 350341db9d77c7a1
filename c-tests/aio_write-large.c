/*
 * Transfers of many megabytes arrive whole: on a disk, in memory, through a socket.
 */
#include "aio.h"

#define SIZE (24 << 20)

static char *out, *in;

static void check_file(int fd)
{
    struct aiocb block = aio_block(fd, out, SIZE, 4096);
    CHECK_OK(aio_write(&block));
    CHECK_DONE(&block, SIZE);
    memset(in, 0, SIZE);
    block = aio_block(fd, in, SIZE, 4096);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, SIZE);
    CHECK_PATTERN(in, SIZE, 0);
    CHECK(close(fd) == 0);
}

static void check_socket(void)
{
    int pair[2];
    pair_open(UNIX_STREAM, pair);
    struct aiocb block = aio_block(pair[0], out, SIZE, 0);
    CHECK_OK(aio_write(&block));
    for (size_t count = 0; count < SIZE;) {
        struct aiocb reading = aio_block(pair[1], in + count, SIZE - count, 0);
        CHECK_OK(aio_read(&reading));
        CHECK((errno = aio_await(&reading)) == 0);
        CHECK(aio_return(&reading) > 0);
        count += (size_t)aio_return(&reading);
    }
    CHECK_DONE(&block, SIZE);
    CHECK_PATTERN(in, SIZE, 0);
}

int main(void)
{
    check_start();
    CHECK((out = malloc(SIZE)) != NULL && (in = malloc(SIZE)) != NULL);
    pattern_fill(out, SIZE, 0);
    check_file(aio_file(0));
    check_file(memfd_create("aio", MFD_CLOEXEC));
    memset(in, 0, SIZE);
    check_socket();
    return 0;
}
