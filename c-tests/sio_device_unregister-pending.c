/*
 * sio_device_unregister: when it returns, nothing of the driver is called any more, and it has no
 * request. What it has is cancelled; what it does not give back ends with ENODEV. Its files are
 * released; on their descriptors every request ends with ENODEV, and closing them calls nothing.
 * From within one of the device's own functions it is EDEADLK. It waits for those that run.
 */
#include "device.h"

static struct holder holder;
static sio_device_t device;
static _Atomic int is_inside, may_leave;

static ssize_t slow(struct sio_kiocb *kiocb)
{
    is_inside = 1;
    AWAIT(may_leave);
    return (ssize_t)kiocb->ki_bytes;
}

static ssize_t suicidal(struct sio_kiocb *kiocb)
{
    (void)kiocb;
    CHECK_ERR(sio_device_unregister(device), EDEADLK);
    return 0;
}

static void *leave(void *unused)
{
    AWAIT(is_inside);
    sleep_ms(20);
    may_leave = 1;
    return unused;
}

static void *begin(void *block)
{
    CHECK_OK(aio_write(block));
    return NULL;
}

static void check_running(void)
{
    struct sio_device_operations operations = { .read = suicidal, .write = slow };
    char buffer[4];
    pthread_t threads[2];
    device = device_new("slow", &operations, NULL);
    int fd = device_open("slow", O_RDWR);
    struct aiocb block = aio_block(fd, buffer, 4, 0);

    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 0);
    CHECK_THREAD(pthread_create(&threads[0], NULL, begin, &block));
    CHECK_THREAD(pthread_create(&threads[1], NULL, leave, NULL));
    AWAIT(is_inside);
    CHECK_OK(sio_device_unregister(device));
    CHECK(may_leave);
    CHECK_DONE(&block, 4);
    for (int i = 0; i < 2; i++)
        CHECK_THREAD(pthread_join(threads[i], NULL));
    CHECK_OK(aio_write(&block));
    CHECK_FAILED(&block, ENODEV);
    CHECK_OK(sio_device_close(fd));
}

static void check_pending(int refuses)
{
    char buffer[4];
    struct aiocb blocks[3], sync;
    struct sio_kiocb *kept;
    device = holder_new("held", &holder);
    int fd = device_open("held", O_RDWR), closed = device_open("held", O_RDWR);

    for (int i = 0; i < 3; i++) {
        blocks[i] = aio_block(i == 2 ? closed : fd, buffer, 4, 0);
        CHECK_OK(aio_write(&blocks[i]));
    }
    sync = aio_block(fd, buffer, 4, 0);
    CHECK_OK(aio_fsync(O_SYNC, &sync));
    kept = holder.held[0];
    if (refuses) {
        /* Closed, and not released because the driver keeps the request. */
        holder.refuses_cancel = -EBUSY;
        CHECK_OK(sio_device_close(closed));
        CHECK(aio_error(&blocks[2]) == EINPROGRESS);
    }
    CHECK_OK(sio_device_unregister(device));
    for (int i = 0; i < 3; i++)
        CHECK_IS(aio_error(&blocks[i]), refuses ? ENODEV : ECANCELED);
    CHECK_IS(aio_error(&sync), ENODEV);
    CHECK(holder.released == 2);
    CHECK_ERR(sio_complete(kept, 4), EALREADY);
    CHECK_OK(aio_read(&sync));
    CHECK_FAILED(&sync, ENODEV);
    CHECK_OK(aio_fsync(O_SYNC, &sync));
    CHECK_FAILED(&sync, ENODEV);
    CHECK_IS(aio_cancel(fd, NULL), AIO_ALLDONE);
    CHECK_OK(sio_device_close(fd));
    CHECK(close(closed) == (refuses ? -1 : 0));
    sleep_ms(5);
    CHECK(holder.released == 2);
    CHECK_ERR(sio_device_open("held", O_RDWR), ENOENT);
}

int main(void)
{
    check_start();
    check_running();
    check_pending(0);
    check_pending(1);
    return 0;
}
