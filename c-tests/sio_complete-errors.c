/*
 * sio_complete ends a request once: EALREADY for one that has ended, by whatever, EINVAL for what
 * is no request and for a result that is none, which leaves the request as it was.
 */
#include "device.h"

int main(void)
{
    struct holder holder;
    char buffer[16];
    struct aiocb block;
    struct sio_kiocb *kiocb, *others[50];
    sio_device_t device;
    int fd;

    check_start();
    CHECK_ERR(sio_complete(NULL, 0), EINVAL);
    CHECK_ERR(sio_complete((struct sio_kiocb *)(void *)buffer, 0), EINVAL);
    device = holder_new("held", &holder);
    fd = device_open("held", O_RDWR);
    block = aio_block(fd, buffer, 16, 0);
    CHECK_OK(aio_read(&block));
    kiocb = holder_next(&holder);
    CHECK_ERR(sio_complete(NULL, 0), EINVAL);
    CHECK_ERR(sio_complete((struct sio_kiocb *)(void *)buffer, 0), EINVAL);
    CHECK_ERR(sio_complete((struct sio_kiocb *)(void *)((char *)kiocb + 8), 0), EINVAL);
    CHECK_ERR(sio_complete(kiocb, 17), EINVAL);
    CHECK_ERR(sio_complete(kiocb, SIO_QUEUED), EINVAL);
    CHECK_ERR(sio_complete(kiocb, -EINPROGRESS), EINVAL);
    CHECK_ERR(sio_complete(kiocb, -4711), EINVAL);
    CHECK(aio_error(&block) == EINPROGRESS);
    CHECK_OK(sio_complete(kiocb, 16));
    CHECK_DONE(&block, 16);
    CHECK_ERR(sio_complete(kiocb, 16), EALREADY);
    CHECK_ERR(sio_complete(kiocb, -EIO), EALREADY);

    /* Those that follow do not get its place. */
    for (int i = 0; i < 50; i++) {
        block = aio_block(fd, buffer, 16, 0);
        CHECK_OK(aio_read(&block));
        others[i] = holder_next(&holder);
        CHECK(others[i] != kiocb);
        CHECK_ERR(sio_complete(kiocb, 16), EALREADY);
        CHECK_OK(sio_complete(others[i], -EIO));
        CHECK_FAILED(&block, EIO);
    }

    CHECK_OK(aio_fsync(O_SYNC, &block));
    kiocb = holder_next(&holder);
    CHECK_ERR(sio_complete(kiocb, 1), EINVAL);
    CHECK_OK(sio_complete(kiocb, 0));
    CHECK_DONE(&block, 0);

    /* What was cancelled has ended. */
    block = aio_block(fd, buffer, 16, 0);
    CHECK_OK(aio_write(&block));
    kiocb = holder.held[0];
    CHECK_IS(aio_cancel(fd, &block), AIO_CANCELED);
    CHECK_ERR(sio_complete(kiocb, 16), EALREADY);
    CHECK_FAILED(&block, ECANCELED);
    CHECK_OK(sio_device_close(fd));
    CHECK_OK(sio_device_unregister(device));
    CHECK_ERR(sio_complete(kiocb, 16), EALREADY);
    return 0;
}
