/*
 * Some files of proc(5) have an offset for reading, and none for writing: they are written all the
 * same, however long and with whatever flags. One that is open for reading is EBADF. And a device
 * that never says that there is room for something is written, too.
 */
#include "aio.h"

static const int flags[] = { 0, O_SYNC, O_APPEND };

static void written(int fd, char *text, size_t size)
{
    char back[16];

    for (off_t offset = 0; offset < 10; offset += 5) {
        struct aiocb block = aio_block(fd, text, size, offset);
        CHECK_OK(aio_write(&block));
        CHECK_DONE(&block, (long long)size);
    }
    CHECK(pread(fd, back, sizeof back, 0) > 4 && memcmp(back, text, 4) == 0);
}

int main(void)
{
    static char name[] = "/proc/self/comm", large[200 * 1024];
    char text[] = "text";
    struct aiocb block;
    int fd;

    check_start();
    memset(large, 'l', sizeof large);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        fd = open(name, O_RDWR | flags[i]);
        if (fd < 0)
            check_skip("no /proc");
        written(fd, text, 4);
        written(fd, large, sizeof large);
        CHECK(close(fd) == 0);
    }

    CHECK((fd = open(name, O_RDONLY)) >= 0);
    block = aio_block(fd, text, 4, 0);
    CHECK_OK(aio_write(&block));
    CHECK_FAILED(&block, EBADF);

    fd = open("/dev/kmsg", O_WRONLY);
    if (fd >= 0) {
        static char message[] = "<7>aio_write: a test of libsio\n";
        block = aio_block(fd, message, sizeof message - 1, 0);
        CHECK_OK(aio_write(&block));
        CHECK_DONE(&block, (long long)sizeof message - 1);
    }
    return 0;
}
