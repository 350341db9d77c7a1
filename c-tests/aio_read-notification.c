/*
 * The end of a request is told as aio_sigevent says: by a signal to the process or to a thread,
 * with the value and the code of asynchronous I/O, or by a function in a thread of its own; for
 * requests that are done at once and for those that take their time. A signal that was only
 * cleared, 0, is none.
 */
#include "aio.h"

#include <semaphore.h>

static sem_t called;
static void *volatile call_value;
static volatile pthread_t call_thread;

static void call(union sigval value)
{
    call_value = value.sival_ptr;
    call_thread = pthread_self();
    sem_post(&called);
}

static void check_signal(int fd, int feed, int how)
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
    CHECK_OK(aio_read(&block));
    if (feed >= 0)
        CHECK(write(feed, "text", 4) == 4);
    /* The first signal that comes is the notification, and nothing interrupts the wait. */
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 1);
    CHECK(info.si_code == SI_ASYNCIO);
    CHECK(info.si_value.sival_ptr == &block);
    CHECK(info.si_pid == getpid());
    CHECK_IS(aio_error(&block), 0);
    CHECK_IS(aio_return(&block), 4);
}

static void check_call(int fd, int feed)
{
    char buffer[4];
    struct aiocb block = aio_block(fd, buffer, 4, 0);

    block.aio_sigevent.sigev_notify = SIGEV_THREAD;
    block.aio_sigevent.sigev_notify_function = call;
    block.aio_sigevent.sigev_notify_attributes = NULL;
    block.aio_sigevent.sigev_value.sival_ptr = &block;
    CHECK_OK(aio_read(&block));
    if (feed >= 0)
        CHECK(write(feed, "text", 4) == 4);
    while (sem_wait(&called) == -1)
        CHECK(errno == EINTR);
    CHECK(call_value == &block);
    CHECK(!pthread_equal(call_thread, pthread_self()));
    CHECK_IS(aio_error(&block), 0);
    CHECK_IS(aio_return(&block), 4);
}

int main(void)
{
    sigset_t set;
    int file = aio_file(0), pipes[2];

    check_start();
    CHECK(sem_init(&called, 0, 0) == 0);
    CHECK(pipe(pipes) == 0);
    CHECK(pwrite(file, "text", 4, 0) == 4);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, &set, NULL));

    for (int turn = 0; turn < 50; turn++) {
        check_signal(file, -1, SIGEV_SIGNAL);
        check_signal(pipes[0], pipes[1], SIGEV_SIGNAL);
        check_signal(file, -1, SIGEV_THREAD_ID);
        check_signal(pipes[0], pipes[1], SIGEV_THREAD_ID);
    }
    /* Their threads take signals, so they come last. */
    for (int turn = 0; turn < 50; turn++) {
        check_call(file, -1);
        check_call(pipes[0], pipes[1]);
    }

    char buffer[4];
    struct aiocb block = aio_block(file, buffer, 4, 0);
    block.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    block.aio_sigevent.sigev_signo = 0;
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 4);
    return 0;
}
