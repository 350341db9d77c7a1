/*
 * sio_device_close cancels what was asked for by the number, through the driver, and closes it. If
 * no other descriptor is left the driver's release function has been called when it returns, or is
 * called when the last request has ended that the driver would not give back. Requests by a
 * duplicate go on. EBADF for a number that is not open, EINVAL for one that is no device's.
 */
#include "device.h"

static struct holder holder;
static char buffer[4];

int main(void)
{
    struct aiocb blocks[4];
    sio_device_t device;
    int fd, other;

    check_start();
    CHECK_ERR(sio_device_close(-1), EBADF);
    CHECK_ERR(sio_device_close(1000), EBADF);
    CHECK_ERR(sio_device_close(0), EINVAL);
    device = holder_new("held", &holder);
    fd = device_open("held", O_RDWR);
    CHECK_ERR(sio_device_close(1000), EBADF);
    CHECK_ERR(sio_device_close(0), EINVAL);
    for (int i = 0; i < 4; i++) {
        blocks[i] = aio_block(fd, buffer, 4, 0);
        CHECK_OK(aio_write(&blocks[i]));
    }
    CHECK_OK(sio_device_close(fd));
    CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
    for (int i = 0; i < 4; i++)
        CHECK_IS(aio_error(&blocks[i]), ECANCELED);
    CHECK(holder.cancels == 4 && holder.released == 1);
    CHECK_ERR(sio_device_close(fd), EBADF);

    fd = device_open("held", O_RDWR);
    CHECK((other = dup(fd)) >= 0);
    blocks[0] = aio_block(fd, buffer, 4, 0);
    blocks[1] = aio_block(other, buffer, 4, 0);
    CHECK_OK(aio_read(&blocks[0]));
    CHECK_OK(aio_read(&blocks[1]));
    CHECK_OK(sio_device_close(fd));
    CHECK_IS(aio_error(&blocks[0]), ECANCELED);
    CHECK_IS(aio_error(&blocks[1]), EINPROGRESS);
    CHECK_OK(sio_complete(holder_next(&holder), 4));
    CHECK_DONE(&blocks[1], 4);
    CHECK(holder.released == 1);
    CHECK_OK(aio_read(&blocks[1]));
    CHECK_OK(sio_device_close(other));
    CHECK_FAILED(&blocks[1], ECANCELED);
    CHECK(holder.released == 2);

    /* The driver keeps one. */
    fd = device_open("held", O_RDWR);
    blocks[0] = aio_block(fd, buffer, 4, 0);
    CHECK_OK(aio_read(&blocks[0]));
    holder.refuses_cancel = -EBUSY;
    CHECK_OK(sio_device_close(fd));
    CHECK(aio_error(&blocks[0]) == EINPROGRESS);
    sleep_ms(10);
    CHECK(holder.released == 2);
    CHECK_OK(sio_complete(holder_next(&holder), 4));
    CHECK_DONE(&blocks[0], 4);
    AWAIT(holder.released == 3);
    CHECK_OK(sio_device_unregister(device));
    CHECK(holder.opened == 3 && holder.released == 3);
    return 0;
}
