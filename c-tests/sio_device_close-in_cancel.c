/*
 * A driver closes the descriptor itself when it is asked for a request back, because somebody closes
 * it, and opens something else, which gets the number: that stays open.
 */
#include "device.h"

static int fd, other = -1;

static int close_and_open(struct sio_kiocb *kiocb)
{
    (void)kiocb;
    if (other < 0) {
        CHECK(close(fd) == 0);
        CHECK((other = open("/dev/null", O_RDONLY | O_CLOEXEC)) == fd);
    }
    return 0;
}

static ssize_t keep(struct sio_kiocb *kiocb)
{
    (void)kiocb;
    return SIO_QUEUED;
}

static _Atomic int released;

static void release(struct sio_file *file)
{
    (void)file;
    released++;
}

int main(void)
{
    struct sio_device_operations operations = {
        .read = keep, .cancel = close_and_open, .release = release,
    };
    sio_device_t device;
    char buffer[4], byte;

    check_start();
    CHECK_OK(sio_device_register(&device, "closes", &operations, sizeof operations, NULL));
    CHECK((fd = sio_device_open("closes", O_RDWR)) >= 0);
    struct aiocb block = aio_block(fd, buffer, 4, 0);
    CHECK_OK(aio_read(&block));
    CHECK_OK(sio_device_close(fd));
    CHECK_FAILED(&block, ECANCELED);
    CHECK(other == fd && read(other, &byte, 1) == 0);
    while (released == 0)
        usleep(1000);
    CHECK_OK(sio_device_unregister(device));
    return 0;
}
