/*
 * A block device: what is written with and without O_DIRECT is there again, in the device and in
 * the file behind it; reads end at its end.
 */
#include "aio.h"

#include <linux/loop.h>
#include <sys/ioctl.h>

#define SIZE (1 << 20)
#define PART 4096

/* A loop device over a file; it goes when nobody has it open. */
static void device_path(int file, char *path, size_t size)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), device = -1;
    if (control < 0)
        check_skip("no loop devices: %s", strerror(errno));
    for (int tries = 0; tries < 20; tries++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0)
            break;
        snprintf(path, size, "/dev/loop%d", number);
        device = open(path, O_RDWR | O_CLOEXEC);
        if (device >= 0 && ioctl(device, LOOP_SET_FD, file) == 0)
            break;
        if (device >= 0)
            close(device);
        device = -1;
    }
    if (device < 0)
        check_skip("no loop device to be had: %s", strerror(errno));
    struct loop_info64 info;
    memset(&info, 0, sizeof info);
    info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (ioctl(device, LOOP_SET_STATUS64, &info) != 0) {
        ioctl(device, LOOP_CLR_FD);
        check_skip("a loop device that cannot be set up: %s", strerror(errno));
    }
    CHECK(close(control) == 0);
    /* The caller opens it again while this one is open. */
}

static void check_flags(const char *path, int flags)
{
    static _Alignas(PART) char out[SIZE], in[SIZE];
    struct aiocb blocks[SIZE / PART];
    int fd = open(path, O_RDWR | O_CLOEXEC | flags);

    if (fd < 0 && errno == EINVAL)
        return;
    CHECK(fd >= 0);
    pattern_fill(out, SIZE, (size_t)flags);
    memset(in, 0, SIZE);
    for (int i = 0; i < SIZE / PART; i++) {
        blocks[i] = aio_block(fd, out + i * PART, PART, (off_t)i * PART);
        CHECK_OK(aio_write(&blocks[i]));
    }
    for (int i = 0; i < SIZE / PART; i++)
        CHECK_DONE(&blocks[i], PART);
    CHECK_OK(aio_fsync(O_SYNC, &blocks[0]));
    CHECK_DONE(&blocks[0], 0);
    for (int i = 0; i < SIZE / PART; i++) {
        blocks[i] = aio_block(fd, in + i * PART, PART, (off_t)i * PART);
        CHECK_OK(aio_read(&blocks[i]));
    }
    for (int i = 0; i < SIZE / PART; i++)
        CHECK_DONE(&blocks[i], PART);
    CHECK_PATTERN(in, SIZE, (size_t)flags);
    blocks[0] = aio_block(fd, in, PART, SIZE);
    CHECK_OK(aio_read(&blocks[0]));
    CHECK_DONE(&blocks[0], 0);
    CHECK(close(fd) == 0);
}

int main(void)
{
    static char back[PART];
    char path[64];
    int file = aio_file(O_CLOEXEC);

    check_start();
    CHECK(ftruncate(file, SIZE) == 0);
    device_path(file, path, sizeof path);
    check_flags(path, 0);
    check_flags(path, O_DIRECT);
    CHECK(pread(file, back, PART, 0) == PART);
    CHECK_PATTERN(back, PART, O_DIRECT);
    return 0;
}
