/*
 * What drivers do that is unusual: one of their functions runs in a thread that is cancelled
 * meanwhile, closes the descriptor that it was called for, or opens the device again on release.
 * And a process ends with requests under way.
 */
#include "device.h"

static struct holder holder;
static _Atomic int is_inside, has_left, reopened;
static int own_fd;

static ssize_t sleeping(struct sio_kiocb *kiocb)
{
    is_inside = 1;
    sleep_ms(30);    /* a cancellation point */
    has_left = 1;
    return (ssize_t)kiocb->ki_bytes;
}

static ssize_t closing(struct sio_kiocb *kiocb)
{
    CHECK_OK(sio_device_close(own_fd));
    return (ssize_t)kiocb->ki_bytes;
}

static void reopening(struct sio_file *file)
{
    (void)file;
    if (reopened++ == 0) {
        int fd = device_open("odd", O_RDONLY);
        CHECK(close(fd) == 0);
    }
}

static const struct sio_device_operations odd = {
    .read = sleeping, .write = closing, .release = reopening,
};

static void *read_and_sleep(void *block)
{
    CHECK(aio_read(block) == 0);
    for (;;)
        sleep_ms(1000);
    return NULL;
}

int main(void)
{
    char buffer[4];
    struct aiocb block;
    pthread_t thread;
    void *result;

    check_start();
    sio_device_t device = device_new("odd", &odd, NULL);
    own_fd = device_open("odd", O_RDWR);
    block = aio_block(own_fd, buffer, 4, 0);
    CHECK_THREAD(pthread_create(&thread, NULL, read_and_sleep, &block));
    AWAIT(is_inside);
    CHECK_THREAD(pthread_cancel(thread));
    CHECK_THREAD(pthread_join(thread, &result));
    CHECK(result == PTHREAD_CANCELED && has_left);
    CHECK_DONE(&block, 4);

    CHECK_OK(aio_write(&block));
    CHECK_DONE(&block, 4);
    CHECK(fcntl(own_fd, F_GETFD) == -1 && errno == EBADF);
    AWAIT(reopened == 2);
    CHECK_OK(sio_device_unregister(device));

    holder_new("held", &holder);
    block = aio_block(device_open("held", O_RDWR), buffer, 4, 0);
    CHECK_OK(aio_read(&block));
    exit(0);
}
