/*
 * The end of a request to a device is told as aio_sigevent says, whether the driver ends it at
 * once, or another thread does, or it is cancelled: by a signal to the process or a thread, or by
 * a function. aio_suspend and lio_listio are woken.
 */
#include "device.h"

#include <semaphore.h>

#define COUNT 5

static struct holder holder;
static sem_t called;
static void *volatile call_value;

static void call(union sigval value)
{
    call_value = value.sival_ptr;
    sem_post(&called);
}

static void *end_all(void *result)
{
    for (int i = 0; i < COUNT; i++) {
        sleep_ms(1);
        CHECK_OK(sio_complete(holder_next(&holder), (ssize_t)(intptr_t)result));
    }
    return NULL;
}

static void check_told(int fd, int how)
{
    char buffer[4];
    sigset_t set;
    siginfo_t info;
    struct aiocb block = aio_block(fd, buffer, 4, 0);

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    block.aio_sigevent.sigev_notify = how;
    block.aio_sigevent.sigev_signo = SIGRTMIN + 1;
    block.aio_sigevent.sigev_value.sival_ptr = &block;
    if (how == SIGEV_THREAD_ID)
        block.aio_sigevent._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    if (how == SIGEV_THREAD)
        block.aio_sigevent.sigev_notify_function = call;
    CHECK_OK(aio_read(&block));
    if (how == SIGEV_THREAD) {
        while (sem_wait(&called) == -1)
            CHECK(errno == EINTR);
        CHECK(call_value == &block);
    } else {
        CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 1);
        CHECK(info.si_code == SI_ASYNCIO && info.si_value.sival_ptr == &block);
    }
    CHECK_IS(aio_error(&block), 0);
    CHECK_IS(aio_return(&block), 4);
}

static void check_list(int fd, int mode)
{
    char buffer[4];
    struct aiocb blocks[COUNT], *list[COUNT];
    struct sigevent event = { 0 };
    pthread_t thread;

    event.sigev_notify = SIGEV_THREAD;
    event.sigev_notify_function = call;
    event.sigev_value.sival_ptr = blocks;
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = aio_block(fd, buffer, 4, 0);
        blocks[i].aio_lio_opcode = i % 2 ? LIO_READ : LIO_WRITE;
        list[i] = &blocks[i];
    }
    CHECK_THREAD(pthread_create(&thread, NULL, end_all, (void *)3));
    CHECK_OK(lio_listio(mode, list, COUNT, &event));
    if (mode == LIO_NOWAIT) {
        while (sem_wait(&called) == -1)
            CHECK(errno == EINTR);
        CHECK(call_value == blocks);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK_IS(aio_error(&blocks[i]), 0);
        CHECK_IS(aio_return(&blocks[i]), 3);
    }
    CHECK_THREAD(pthread_join(thread, NULL));
}

static void check_cancelled(int fd)
{
    char buffer[4];
    sigset_t set;
    siginfo_t info;
    struct aiocb block = aio_block(fd, buffer, 4, 0);

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    block.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    block.aio_sigevent.sigev_signo = SIGRTMIN + 1;
    CHECK_OK(aio_read(&block));
    CHECK_IS(aio_cancel(fd, &block), AIO_CANCELED);
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 1);
    CHECK_FAILED(&block, ECANCELED);
}

static ssize_t at_once(struct sio_kiocb *kiocb)
{
    return (ssize_t)kiocb->ki_bytes;
}

static const struct sio_device_operations immediate = { .read = at_once };

int main(void)
{
    static const int kinds[] = { SIGEV_SIGNAL, SIGEV_THREAD_ID, SIGEV_THREAD };
    sigset_t set;
    pthread_t thread;
    sio_device_t device, other;
    int fd, other_fd;

    check_start();
    CHECK(sem_init(&called, 0, 0) == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, &set, NULL));
    device = holder_new("held", &holder);
    other = device_new("immediate", &immediate, NULL);
    fd = device_open("held", O_RDWR);
    other_fd = device_open("immediate", O_RDONLY);
    /* Threads of notifications take signals, so they come last. */
    for (int kind = 0; kind < 3; kind++) {
        CHECK_THREAD(pthread_create(&thread, NULL, end_all, (void *)4));
        for (int i = 0; i < COUNT; i++)
            check_told(fd, kinds[kind]);
        CHECK_THREAD(pthread_join(thread, NULL));
        check_told(other_fd, kinds[kind]);
        for (int i = 0; i < COUNT && kinds[kind] != SIGEV_THREAD; i++)
            check_cancelled(fd);
    }
    for (int i = 0; i < COUNT; i++) {
        check_list(fd, LIO_WAIT);
        check_list(fd, LIO_NOWAIT);
    }
    CHECK_OK(sio_device_close(fd));
    CHECK_OK(sio_device_close(other_fd));
    CHECK_OK(sio_device_unregister(device));
    CHECK_OK(sio_device_unregister(other));
    return 0;
}
