/*
 * The number of a file in memory that comes to mean something else between two requests: what has
 * nothing to read yet is waited for, and the caller does not wait; what has is read as it is.
 */
#include "aio.h"

#include <pty.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define MANY 20

static char buffer[64];

/* As many as it takes to know the descriptor well. */
static int memory(void)
{
    int fd = memfd_create("aio", MFD_CLOEXEC);

    CHECK(fd >= 0);
    CHECK(write(fd, "memory", 6) == 6);
    for (int i = 0; i < MANY; i++) {
        struct aiocb block = aio_block(fd, buffer, 6, 0);
        CHECK_OK(aio_read(&block));
        CHECK_DONE(&block, 6);
        CHECK(memcmp(buffer, "memory", 6) == 0);
    }
    return fd;
}

static void check_stream(int stream, int far, const char *text, size_t size)
{
    int fd = memory();

    CHECK(dup2(stream, fd) == fd);
    struct aiocb block = aio_block(fd, buffer, size, 0);
    CHECK_OK(aio_read(&block));
    CHECK_IS(aio_error(&block), EINPROGRESS);
    CHECK(write(far, text, size) == (ssize_t)size);
    CHECK_DONE(&block, size);
    CHECK(memcmp(buffer, text, size) == 0);
    CHECK(close(fd) == 0);
}

static void check_streams(void)
{
    const char number[8] = { 7 };
    int ends[2], counter = eventfd(0, EFD_CLOEXEC);

    CHECK(pipe(ends) == 0);
    check_stream(ends[0], ends[1], "pipe", 4);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    check_stream(ends[0], ends[1], "socket", 6);
    CHECK(openpty(&ends[0], &ends[1], NULL, NULL, NULL) == 0);
    check_stream(ends[1], ends[0], "tty\n", 4);
    CHECK(counter >= 0);
    check_stream(counter, counter, number, sizeof number);
}

static void check_files(void)
{
    int file = aio_file(0), directory = open("/", O_RDONLY | O_CLOEXEC), fd = memory();

    CHECK(write(file, "file", 4) == 4);
    CHECK(dup2(file, fd) == fd);
    struct aiocb block = aio_block(fd, buffer, sizeof buffer, 0);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 4);
    CHECK(memcmp(buffer, "file", 4) == 0);
    CHECK(close(fd) == 0);

    fd = memory();
    CHECK(directory >= 0);
    CHECK(dup2(directory, fd) == fd);
    block = aio_block(fd, buffer, sizeof buffer, 0);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EISDIR);
    CHECK(close(fd) == 0);

    fd = memory();
    CHECK(close(fd) == 0);
    block = aio_block(fd, buffer, sizeof buffer, 0);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EBADF);
}

int main(void)
{
    check_start();
    check_streams();
    check_files();
    return 0;
}
