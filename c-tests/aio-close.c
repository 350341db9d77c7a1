/*
 * A descriptor that is closed while requests are under way: those go on with the file that they
 * were made for, or end with EBADF, and with a ring never touch the file that has the number now.
 */
#include "aio.h"

#define COUNT 16
#define SIZE (200 * 1024)

static void check_pipe(void)
{
    char bytes[2];
    struct aiocb blocks[2];
    int pipes[2], other[2];

    CHECK(pipe(pipes) == 0);
    for (int i = 0; i < 2; i++) {
        blocks[i] = aio_block(pipes[0], &bytes[i], 1, 0);
        CHECK_OK(aio_read(&blocks[i]));
    }
    CHECK(close(pipes[0]) == 0);
    CHECK(pipe(other) == 0);
    CHECK(other[0] == pipes[0]);
    CHECK(write(other[1], "no", 2) == 2);
    CHECK(write(pipes[1], "ab", 2) == 2);
    CHECK_DONE(&blocks[0], 1);
    CHECK_DONE(&blocks[1], 1);
    CHECK(bytes[0] == 'a' && bytes[1] == 'b');
    CHECK(read(other[0], bytes, 2) == 2);
    CHECK(close(pipes[1]) == 0 && close(other[0]) == 0 && close(other[1]) == 0);
}

static void check_file(int flags)
{
    static char buffer[SIZE];
    struct aiocb blocks[COUNT];
    struct stat status;
    int file = aio_file(flags), other = aio_file(0), fd = dup(file);

    for (int i = 0; i < COUNT; i++) {
        blocks[i] = aio_block(fd, buffer, SIZE, (off_t)i * SIZE);
        CHECK_OK(aio_write(&blocks[i]));
    }
    CHECK(dup2(other, fd) == fd);
    for (int i = 0; i < COUNT; i++) {
        int error = aio_await(&blocks[i]);
        CHECK(error == 0 || error == EBADF);
        CHECK(aio_return(&blocks[i]) == (error == 0 ? SIZE : -1));
    }
    CHECK(fstat(other, &status) == 0);
    /* A thread that does what no ring does looks, and writes a moment later: see sio_aio(7). */
    if (aio_has_ring())
        CHECK(status.st_size == 0);
    CHECK(close(fd) == 0 && close(file) == 0 && close(other) == 0);
}

/* The disk is told late, when the file is another one. */
static void check_sync(void)
{
    static char buffer[SIZE];
    int pipes[2], file = aio_file(0), fd = dup(file);
    struct aiocb writing = aio_block(fd, buffer, SIZE, 0), sync = aio_block(fd, NULL, 0, 0);

    CHECK(pipe(pipes) == 0);
    CHECK_OK(aio_write(&writing));
    CHECK((errno = aio_await(&writing)) == 0);
    CHECK_OK(aio_fsync(O_SYNC, &sync));
    /* A pipe cannot be synchronised: EINVAL. */
    CHECK(dup2(pipes[0], fd) == fd);
    int error = aio_await(&sync);
    CHECK(error == 0 || error == EBADF);
    CHECK(close(fd) == 0 && close(file) == 0 && close(pipes[0]) == 0 && close(pipes[1]) == 0);
}

int main(void)
{
    check_start();
    for (int i = 0; i < 10; i++) {
        check_pipe();
        check_file(0);
        check_file(O_APPEND);
        check_file(O_DSYNC);
        if (aio_has_ring())
            check_sync();
    }
    return 0;
}
