/*
 * A signal that is handled ends aio_suspend with EINTR, whatever SA_RESTART says and however the
 * thread waits; the request goes on.
 */
#include "aio.h"

static char byte;
static int pipes[2];

static void *wait_too(void *block)
{
    const struct aiocb *list[] = { block };
    CHECK_OK(aio_suspend(list, 1, NULL));
    return NULL;
}

static void check_flags(int flags, int others)
{
    struct sigaction action;
    struct aiocb block = aio_block(pipes[0], &byte, 1, 0);
    const struct aiocb *list[] = { &block };
    pthread_t thread = pthread_self();
    sigset_t set;

    CHECK_OK(aio_read(&block));
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR1) == 0);
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, &set, NULL));
    if (others)
        thread = thread_start(wait_too, &block);
    CHECK_THREAD(pthread_sigmask(SIG_UNBLOCK, &set, NULL));
    memset(&action, 0, sizeof action);
    action.sa_handler = signal_count;
    action.sa_flags = flags;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    timer_t timer = signal_start();
    CHECK_ERR(aio_suspend(list, 1, NULL), EINTR);
    CHECK_ERR(aio_suspend(list, 1, &(struct timespec){ 1000, 0 }), EINTR);
    CHECK(timer_delete(timer) == 0);
    CHECK_IS(aio_error(&block), EINPROGRESS);

    CHECK(write(pipes[1], "x", 1) == 1);
    CHECK_DONE(&block, 1);
    if (others)
        thread_end(thread);
}

int main(void)
{
    check_start();
    CHECK(pipe(pipes) == 0);
    for (int others = 0; others < 2; others++) {
        check_flags(0, others);
        check_flags(SA_RESTART, others);
    }
    CHECK(signals_seen > 0);
    return 0;
}
