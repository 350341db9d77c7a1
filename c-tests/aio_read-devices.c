/*
 * Devices: /dev/null has nothing and takes everything, /dev/zero gives zeroes, /dev/full has no
 * room, each at any offset.
 */
#include "aio.h"

static int device(const char *name)
{
    int fd = open(name, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

int main(void)
{
    static char buffer[300 * 1024];
    int null = device("/dev/null"), zero = device("/dev/zero"), full = device("/dev/full");

    check_start();
    /* Small and large: they may go different ways. */
    for (size_t size = 1; size < sizeof buffer; size = size * 7 + 1) {
        off_t offset = (off_t)size << 20;
        struct aiocb block = aio_block(null, buffer, size, offset);
        CHECK_OK(aio_read(&block));
        CHECK_DONE(&block, 0);
        CHECK_OK(aio_write(&block));
        CHECK_DONE(&block, (long long)size);

        block = aio_block(zero, buffer, size, offset);
        memset(buffer, 'x', size);
        CHECK_OK(aio_read(&block));
        CHECK_DONE(&block, (long long)size);
        for (size_t i = 0; i < size; i++)
            CHECK(buffer[i] == 0);
        CHECK_OK(aio_write(&block));
        CHECK_DONE(&block, (long long)size);

        block = aio_block(full, buffer, size, offset);
        CHECK_OK(aio_write(&block));
        CHECK_FAILED(&block, ENOSPC);
    }
    return 0;
}
