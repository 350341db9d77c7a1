/*
 * A request that is ended while the driver's function for it runs has ended: by that function, by
 * another thread, or in more than one way. Whatever the function returns then means nothing.
 */
#include "device.h"

enum way { HERE, THREAD, CANCELLED, WAYS };

static enum way way;
static ssize_t answer;
static int first, second;
static struct aiocb block;

static void *complete(void *kiocb)
{
    first = sio_complete(kiocb, 5);
    return NULL;
}

static ssize_t begin(struct sio_kiocb *kiocb)
{
    pthread_t thread;
    if (way == HERE) {
        complete(kiocb);
    } else if (way == THREAD) {
        CHECK_THREAD(pthread_create(&thread, NULL, complete, kiocb));
        CHECK_THREAD(pthread_join(thread, NULL));
    } else {
        /* The function runs: its answer is waited for, and the driver is asked afterwards. */
        CHECK_IS(aio_cancel(block.aio_fildes, &block), AIO_NOTCANCELED);
        CHECK_IS(aio_cancel(block.aio_fildes, NULL), AIO_NOTCANCELED);
        return answer;
    }
    CHECK(aio_error(&block) == 0);
    errno = 0;
    second = sio_complete(kiocb, 6);
    CHECK(second == -1 && errno == EALREADY);
    return answer;
}

static int cancels;

static int cancel(struct sio_kiocb *kiocb)
{
    (void)kiocb;
    cancels++;
    return 0;
}

static const struct sio_device_operations operations = { .read = begin, .cancel = cancel };

int main(void)
{
    static const ssize_t answers[] = { SIO_QUEUED, 8, 5, 0, -EIO, -4711 };
    char buffer[8];
    sio_device_t device;
    int fd;

    check_start();
    device = device_new("early", &operations, NULL);
    fd = device_open("early", O_RDONLY);
    for (way = HERE; way < CANCELLED; way++) {
        for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
            answer = answers[i];
            block = aio_block(fd, buffer, 8, 0);
            CHECK_OK(aio_read(&block));
            CHECK(first == 0);
            CHECK_DONE(&block, 5);
        }
    }
    CHECK(cancels == 0);
    answer = SIO_QUEUED;
    block = aio_block(fd, buffer, 8, 0);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, ECANCELED);
    CHECK(cancels == 1);
    answer = 8;
    block = aio_block(fd, buffer, 8, 0);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 8);
    CHECK(cancels == 1);
    CHECK_OK(sio_device_close(fd));
    CHECK_OK(sio_device_unregister(device));
    return 0;
}
