/*
 * Functions of a driver run with nothing locked: they may call any function of the library, on the
 * same device and on others, from each of them. A driver may be built on another one.
 */
#include "device.h"

static struct holder lower;
static int lower_fd;
static ec_t ec;

struct request {
    struct aiocb block;
    struct sio_kiocb *kiocb;
};

static void lower_ended(union sigval value)
{
    struct request *request = value.sival_ptr;
    int error = aio_error(&request->block);
    CHECK_OK(sio_complete(request->kiocb, error ? -error : aio_return(&request->block)));
}

/* Hands the request on to the device below. */
static ssize_t pass_on(struct sio_kiocb *kiocb)
{
    static struct request requests[16];
    static int next;
    struct request *request = &requests[next++];
    event_data_t event = { 0 };

    request->kiocb = kiocb;
    request->block = aio_block(lower_fd, kiocb->ki_iov[0].iov_base, kiocb->ki_bytes,
                               kiocb->ki_pos);
    request->block.aio_sigevent.sigev_notify = SIGEV_THREAD;
    request->block.aio_sigevent.sigev_notify_function = lower_ended;
    request->block.aio_sigevent.sigev_value.sival_ptr = request;
    kiocb->ki_private[7] = request;
    event.ev_type = EC_EV_USER;
    CHECK_OK(ec_post(ec, &event));
    CHECK_OK(aio_read(&request->block));
    return SIO_QUEUED;
}

static int pass_on_cancel(struct sio_kiocb *kiocb)
{
    struct request *request = kiocb->ki_private[7];
    CHECK_IS(aio_cancel(lower_fd, &request->block), AIO_CANCELED);
    return SIO_QUEUED;
}

static int open_lower(struct sio_file *file)
{
    CHECK_SET(lower_fd, sio_device_open("lower", O_RDWR));
    file->sf_private = file;
    return 0;
}

static void close_lower(struct sio_file *file)
{
    CHECK(file->sf_private == file);
    CHECK_OK(sio_device_close(lower_fd));
}

static const struct sio_device_operations upper = {
    .read = pass_on, .cancel = pass_on_cancel, .open = open_lower, .release = close_lower,
};

int main(void)
{
    char buffer[4];
    struct aiocb block;
    sio_device_t devices[2];
    int fd, fate;

    check_start();
    CHECK_SET(ec, ec_create(0));
    devices[0] = holder_new("lower", &lower);
    devices[1] = device_new("upper", &upper, NULL);
    fd = device_open("upper", O_RDONLY);
    block = aio_block(fd, buffer, 4, 77);
    CHECK_OK(aio_read(&block));
    CHECK(lower.held[0]->ki_pos == 77);
    CHECK_OK(sio_complete(holder_next(&lower), 3));
    CHECK_DONE(&block, 3);
    CHECK_OK(aio_read(&block));
    CHECK_OK(sio_complete(holder_next(&lower), -EIO));
    CHECK_FAILED(&block, EIO);
    CHECK_OK(aio_read(&block));
    /* The one below is told by another thread, which may be faster. */
    CHECK_SET(fate, aio_cancel(fd, &block));
    CHECK(fate == AIO_NOTCANCELED || fate == AIO_CANCELED);
    CHECK_FAILED(&block, ECANCELED);
    CHECK_OK(sio_device_close(fd));
    CHECK(lower.opened == 1 && lower.released == 1);
    CHECK_OK(sio_device_unregister(devices[1]));
    CHECK_OK(sio_device_unregister(devices[0]));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
