/* In a thread that has registered nothing pause is the C library's, whatever other threads do: only
 * a signal handler ends it. It may be called in a handler. */
#include "callback.h"

static int ends[2];
static _Atomic pid_t waiting;
static _Atomic int finished;

static void pausing(int number)
{
    sigset_t mask;
    (void)number;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    atomic_store(&waiting, thread_id());
    pause();
}

static void *body(void *argument)
{
    atomic_store(&waiting, thread_id());
    CHECK(pause() == -1 && errno == EINTR);
    atomic_store(&finished, 1);
    return argument;
}

static void run(void)
{
    atomic_store(&waiting, 0);
    atomic_store(&finished, 0);
    pthread_t thread = thread_start(body, NULL);
    wait_asleep(&waiting);
    sleep_ms(20);
    CHECK(!atomic_load(&finished));
    /* A handler that waits itself, until another one has run. */
    atomic_store(&waiting, 0);
    CHECK_THREAD(pthread_kill(thread, SIGUSR2));
    wait_asleep(&waiting);
    CHECK(!atomic_load(&finished));
    CHECK_THREAD(pthread_kill(thread, SIGUSR1));
    thread_end(thread);
}

int main(void)
{
    check_start();
    signal_catch();
    CHECK(signal(SIGUSR2, pausing) != SIG_ERR);
    run();
    CHECK(pipe(ends) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK_OK(async_io_notify(ends[0], complete, NULL));
    CHECK_OK(async_io_pause());
    CHECK_OK(async_io_notify(ends[0], complete, NULL));
    run();
    CHECK(atomic_load(&runs) == 2);
    return 0;
}
