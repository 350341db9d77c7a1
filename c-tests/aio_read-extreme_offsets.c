/*
 * Offsets and lengths at the edge of what there can be end as pread(2) and pwrite(2) do.
 */
#include "aio.h"

static char buffer[8192];

static long long plain(int fd, size_t size, off_t offset, int is_write, int *error)
{
    errno = 0;
    long long count = is_write ? pwrite(fd, buffer, size, offset) : pread(fd, buffer, size, offset);
    *error = count < 0 ? errno : 0;
    return count;
}

static void check(int fd, size_t size, off_t offset, int is_write)
{
    struct aiocb block = aio_block(fd, buffer, size, offset);
    int error;
    long long count = plain(fd, size, offset, is_write, &error);

    CHECK_OK(is_write ? aio_write(&block) : aio_read(&block));
    CHECK((errno = aio_await(&block)) == error);
    CHECK(aio_return(&block) == count);
}

int main(void)
{
    static const off_t offsets[] = {
        0, 1, 4095, (1ll << 31) - 1, 1ll << 31, 1ll << 32, 1ll << 42, 1ll << 62,
        LLONG_MAX - 4096, LLONG_MAX - 1, LLONG_MAX, -1, -4096, LLONG_MIN,
    };
    int fds[3];

    check_start();
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    fds[0] = aio_file(0);
    CHECK((fds[1] = memfd_create("aio", MFD_CLOEXEC)) >= 0);
    CHECK((fds[2] = open("/dev/zero", O_RDWR | O_CLOEXEC)) >= 0);
    for (int i = 0; i < 3; i++) {
        CHECK(pwrite(fds[i], buffer, 100, 0) == 100);
        for (size_t j = 0; j < sizeof offsets / sizeof *offsets; j++) {
            check(fds[i], 0, offsets[j], 0);
            check(fds[i], 100, offsets[j], 0);
            check(fds[i], sizeof buffer, offsets[j], 0);
            check(fds[i], 100, offsets[j], 1);
        }
    }
    return 0;
}
