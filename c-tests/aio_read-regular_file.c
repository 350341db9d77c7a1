/*
 * aio_read reads a regular file at aio_offset, leaves the file's position alone, reads what there
 * is before the end of the file, nothing behind it, and nothing if nothing is asked for; also
 * beyond 4 GiB.
 */
#include "aio.h"

#define SIZE 10000
#define FAR ((off_t)5 << 30)

static void check_file(int fd, off_t start)
{
    char buffer[SIZE];
    struct aiocb block;

    pattern_fill(buffer, SIZE, 0);
    CHECK(pwrite(fd, buffer, SIZE, start) == SIZE);

    block = aio_block(fd, buffer, 5000, start + 2000);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 5000);
    CHECK_PATTERN(buffer, 5000, 2000);
    CHECK(lseek(fd, 0, SEEK_CUR) == 0);

    block = aio_block(fd, buffer, 5000, start + SIZE - 100);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 100);
    CHECK_PATTERN(buffer, 100, SIZE - 100);

    block = aio_block(fd, buffer, 5000, start + SIZE);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 0);

    block = aio_block(fd, buffer, 0, start);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 0);
    CHECK(close(fd) == 0);
}

int main(void)
{
    check_start();
    check_file(aio_file(0), 0);
    check_file(aio_file(0), FAR);
    check_file(memfd_create("aio", MFD_CLOEXEC), 0);
    check_file(memfd_create("aio", MFD_CLOEXEC), FAR);
    return 0;
}
