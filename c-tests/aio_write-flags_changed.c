/*
 * Flags that a descriptor gets between two requests, and another file that its number comes to
 * mean, count from then on: O_APPEND, O_DIRECT, a file that is open for reading only, a pipe.
 */
#include "aio.h"

#define MANY 20

static char buffer[512];

/* As many as it takes to know the descriptor well. */
static void write_and_read(int fd)
{
    for (int i = 0; i < MANY; i++) {
        struct aiocb block = aio_block(fd, "text", 4, 0);
        CHECK_OK(aio_write(&block));
        CHECK_DONE(&block, 4);
        block = aio_block(fd, buffer, 4, 0);
        CHECK_OK(aio_read(&block));
        CHECK_DONE(&block, 4);
    }
}

static void check_append(void)
{
    char back[8];
    int fd = aio_file(0);

    write_and_read(fd);
    CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0);
    struct aiocb block = aio_block(fd, "more", 4, 0);
    CHECK_OK(aio_write(&block));
    CHECK_DONE(&block, 4);
    CHECK(pread(fd, back, sizeof back, 0) == sizeof back);
    CHECK(memcmp(back, "textmore", sizeof back) == 0);
    CHECK(close(fd) == 0);
}

static void check_direct(void)
{
    int fd = aio_file(0);

    write_and_read(fd);
    /* tmpfs and the like may not know it. */
    if (fcntl(fd, F_SETFL, O_DIRECT) == 0 && pread(fd, buffer + 1, 3, 1) == -1) {
        CHECK(errno == EINVAL);
        struct aiocb block = aio_block(fd, buffer + 1, 3, 1);
        CHECK_OK(aio_write(&block));
        CHECK_FAILED(&block, EINVAL);
    }
    CHECK(close(fd) == 0);
}

static void check_other_file(void)
{
    char path[] = "/tmp/sio-aio-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC), pipes[2], reader;

    CHECK(fd >= 0);
    CHECK((reader = open(path, O_RDONLY | O_CLOEXEC)) >= 0);
    CHECK(unlink(path) == 0);
    write_and_read(fd);
    CHECK(dup2(reader, fd) == fd);
    struct aiocb block = aio_block(fd, "fail", 4, 0);
    CHECK_OK(aio_write(&block));
    CHECK_FAILED(&block, EBADF);
    block = aio_block(fd, buffer, 4, 0);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 4);

    CHECK(pipe(pipes) == 0);
    CHECK(dup2(pipes[0], fd) == fd);
    block = aio_block(fd, buffer, 4, 0);
    CHECK_OK(aio_read(&block));
    CHECK_IS(aio_error(&block), EINPROGRESS);
    CHECK(write(pipes[1], "pipe", 4) == 4);
    CHECK_DONE(&block, 4);
    CHECK(memcmp(buffer, "pipe", 4) == 0);
    CHECK(dup2(pipes[1], fd) == fd);
    block = aio_block(fd, "out!", 4, 0);
    CHECK_OK(aio_write(&block));
    CHECK_DONE(&block, 4);
    CHECK(close(fd) == 0);
    block = aio_block(fd, buffer, 4, 0);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EBADF);
}

/* A full pipe under the number of a file that was written to just before. */
static void check_full_pipe(int fd)
{
    int pipes[2];

    CHECK(fd >= 0);
    for (int i = 0; i < MANY; i++) {
        struct aiocb block = aio_block(fd, "text", 4, 0);
        CHECK_OK(aio_write(&block));
        CHECK_DONE(&block, 4);
    }
    CHECK(pipe(pipes) == 0);
    CHECK(fcntl(pipes[1], F_SETFL, O_NONBLOCK) == 0);
    while (write(pipes[1], buffer, sizeof buffer) > 0)
        ;
    CHECK(fcntl(pipes[1], F_SETFL, 0) == 0);
    CHECK(dup2(pipes[1], fd) == fd);
    struct aiocb block = aio_block(fd, "out!", 4, 0);
    CHECK_OK(aio_write(&block));
    CHECK_IS(aio_error(&block), EINPROGRESS);
    for (int i = 0; i < 16; i++)
        CHECK(read(pipes[0], buffer, sizeof buffer) == sizeof buffer);
    CHECK_DONE(&block, 4);
    CHECK(close(fd) == 0 && close(pipes[0]) == 0 && close(pipes[1]) == 0);
}

int main(void)
{
    check_start();
    check_append();
    check_direct();
    check_other_file();
    check_full_pipe(aio_file(0));
    check_full_pipe(memfd_create("memory", MFD_CLOEXEC));
    return 0;
}
