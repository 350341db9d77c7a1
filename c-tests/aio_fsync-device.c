/*
 * A driver hears of aio_fsync when the writes that were accepted before it have ended, by whatever
 * descriptor of the same opening, and not in the thread that ends the last of them. Reads, writes
 * that come later and writes by another opening are not waited for. While it waits it is cancelled
 * without the driver.
 */
#include "device.h"

static struct holder holder;
static _Atomic int syncs;
static pthread_t ending;

static ssize_t begin_sync(struct sio_kiocb *kiocb)
{
    if (syncs++ == 0)
        CHECK(!pthread_equal(pthread_self(), ending));
    return holder_begin(kiocb);
}

int main(void)
{
    struct sio_device_operations operations = holder_operations;
    char buffer[4];
    struct aiocb writes[3], read, sync;
    struct sio_kiocb *first, *second;
    sio_device_t device;
    int fd, same, other;

    check_start();
    ending = pthread_self();
    device = holder_new("held", &holder);
    CHECK_OK(sio_device_unregister(device));
    operations.fsync = begin_sync;
    device = device_new("held", &operations, &holder);
    fd = device_open("held", O_RDWR);
    other = device_open("held", O_RDWR);
    CHECK((same = dup(fd)) >= 0);
    writes[0] = aio_block(fd, buffer, 4, 0);
    writes[1] = aio_block(same, buffer, 4, 0);
    writes[2] = aio_block(other, buffer, 4, 0);
    read = sync = aio_block(fd, buffer, 4, 0);
    for (int i = 0; i < 3; i++)
        CHECK_OK(aio_write(&writes[i]));
    CHECK_OK(aio_read(&read));
    CHECK_OK(aio_fsync(O_SYNC, &sync));
    CHECK(syncs == 0);
    first = holder_next(&holder);
    second = holder_next(&holder);
    CHECK_OK(sio_complete(second, 4));
    sleep_ms(10);
    CHECK(syncs == 0 && aio_error(&sync) == EINPROGRESS);
    CHECK_OK(sio_complete(first, -EIO));
    AWAIT(syncs == 1);
    AWAIT(holder_count(&holder) == 3);
    CHECK(aio_error(&sync) == EINPROGRESS);
    CHECK(holder.held[2]->ki_operation == SIO_KI_FSYNC);
    CHECK_OK(sio_complete(holder_take(&holder, holder.held[2]), 0));
    CHECK_DONE(&sync, 0);
    CHECK_OK(sio_complete(holder_next(&holder), 4));
    CHECK_OK(sio_complete(holder_next(&holder), 0));

    /* With nothing before it, in the call itself; and taken back before the driver hears of it. */
    CHECK_OK(aio_fsync(O_DSYNC, &sync));
    CHECK(syncs == 2);
    CHECK_OK(sio_complete(holder_next(&holder), 0));
    CHECK_DONE(&sync, 0);
    CHECK_OK(aio_write(&writes[0]));
    CHECK_OK(aio_fsync(O_DSYNC, &sync));
    CHECK_IS(aio_cancel(fd, &sync), AIO_CANCELED);
    CHECK_FAILED(&sync, ECANCELED);
    CHECK(holder.cancels == 0);
    CHECK_OK(sio_complete(holder_next(&holder), 4));
    sleep_ms(10);
    CHECK(syncs == 2);
    CHECK(close(same) == 0);
    CHECK_OK(sio_device_close(other));
    CHECK_OK(sio_device_close(fd));
    CHECK_OK(sio_device_unregister(device));
    return 0;
}
