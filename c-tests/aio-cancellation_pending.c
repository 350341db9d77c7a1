/*
 * A thread that somebody has cancelled goes on until it comes to a cancellation point. None of the
 * calls that begin requests or look at them is one: not the first ones of a process, and not where
 * SIO_LOG has the library tell what it does.
 */
#include "device.h"

static struct holder holder;

static void *requests(void *is_device)
{
    char buffer[16];
    int ends[2], fd;
    if (is_device) {
        holder_new("held", &holder);
        fd = device_open("held", O_RDWR);
    } else {
        CHECK(pipe(ends) == 0);
        fd = ends[0];
    }
    struct aiocb block = aio_block(fd, buffer, sizeof buffer, 0);
    CHECK_THREAD(pthread_cancel(pthread_self()));
    CHECK_OK(aio_read(&block));
    if (is_device)
        CHECK_OK(sio_complete(holder_next(&holder), 4));
    else
        CHECK_IS(aio_cancel(fd, &block), AIO_CANCELED);
    CHECK_IS(aio_error(&block), is_device ? 0 : ECANCELED);
    CHECK_IS(aio_return(&block), is_device ? 4 : -1);
    pthread_testcancel();
    return NULL;
}

/* In a process that has made no call before. */
static void run(int is_device)
{
    pid_t child = child_start();
    if (child == 0) {
        CHECK(thread_end(thread_start(requests, is_device ? &holder : NULL)) == PTHREAD_CANCELED);
        _exit(0);
    }
    child_end(child);
}

int main(void)
{
    check_start();
    run(0);
    run(1);
    /* What is told is not looked at here. */
    CHECK(setenv("SIO_LOG", "debug", 1) == 0);
    run(0);
    run(1);
    return 0;
}
