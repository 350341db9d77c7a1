/*
 * A size of 0 reads nothing, and is told what is wrong with the file. SSIZE_MAX reads what there is,
 * at once and when nothing is there yet, and more than that is EINVAL.
 */
#include "aio.h"

/* Not on the stack: the kernel wants that a transfer of the largest size could be memory. */
static char buffer[8];

static void file_read(int fd, size_t size, long long result)
{
    struct aiocb block = aio_block(fd, buffer, size, 0);
    memset(buffer, 0, sizeof buffer);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, result);
    CHECK(result == 0 || memcmp(buffer, "text", 4) == 0);
}

int main(void)
{
    int file = aio_file(0), pipes[2], directory = open("/", O_RDONLY);
    struct aiocb block;

    check_start();
    CHECK(directory >= 0 && pipe(pipes) == 0 && write(file, "text", 4) == 4);
    file_read(file, 0, 0);
    file_read(file, SSIZE_MAX, 4);
    CHECK(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0);
    file_read(file, SSIZE_MAX, 4);
    for (size_t size = 0; size < 2; size++) {
        block = aio_block(directory, buffer, size, 0);
        CHECK_OK(aio_read(&block));
        CHECK_FAILED(&block, EISDIR);
    }

    CHECK(write(pipes[1], "text", 4) == 4);
    file_read(pipes[0], SSIZE_MAX, 4);
    block = aio_block(pipes[0], buffer, SSIZE_MAX, 0);
    CHECK_OK(aio_read(&block));
    CHECK(aio_error(&block) == EINPROGRESS);
    CHECK(write(pipes[1], "text", 4) == 4);
    CHECK_DONE(&block, 4);

    block = aio_block(file, buffer, (size_t)SSIZE_MAX + 1, 0);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EINVAL);
    return 0;
}
