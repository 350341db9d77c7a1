/*
 * A regular file that is open for the other direction only: the request ends with EBADF, and a
 * read-only one is left as it was.
 */
#include "aio.h"

static void check_store(const char *path)
{
    char name[64], buffer[4] = "new!";
    snprintf(name, sizeof name, "%s/sio-aio-XXXXXX", path);
    int fd = mkostemp(name, O_CLOEXEC), reader, writer;
    if (fd < 0)
        return;
    CHECK(write(fd, "text", 4) == 4);
    CHECK((reader = open(name, O_RDONLY | O_CLOEXEC)) >= 0);
    CHECK((writer = open(name, O_WRONLY | O_CLOEXEC)) >= 0);
    CHECK(unlink(name) == 0);

    struct aiocb block = aio_block(reader, buffer, 4, 0);
    CHECK_OK(aio_write(&block));
    CHECK_FAILED(&block, EBADF);
    block = aio_block(writer, buffer, 4, 0);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EBADF);
    CHECK(pread(reader, buffer, 4, 0) == 4);
    CHECK(memcmp(buffer, "text", 4) == 0);
    CHECK(close(reader) == 0 && close(writer) == 0 && close(fd) == 0);
}

int main(void)
{
    check_start();
    check_store("/tmp");
    check_store("/dev/shm");
    return 0;
}
