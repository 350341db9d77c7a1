/* async_io_pause and pause are cancellation points; the registration is not lost with the wait. */
#include "callback.h"

static int ends[2];
static _Atomic pid_t waiting;
static sigset_t before, after;

static void look(void *argument)
{
    (void)argument;
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, NULL, &after));
}

static void *waiter(void *argument)
{
    pthread_cleanup_push(look, NULL);
    if (argument != NULL)
        CHECK_OK(async_io_notify(ends[0], complete_byte, NULL));
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, NULL, &before));
    atomic_store(&waiting, thread_id());
    if (argument == &runs)
        async_io_pause();
    else
        pause();
    pthread_cleanup_pop(0);
    return NULL;
}

int main(void)
{
    check_start();
    void *arguments[] = { (void *)&runs, (void *)&waiting, NULL };
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < 30; i++) {
        int expected = atomic_load(&runs) + (arguments[i % 3] != NULL);
        atomic_store(&waiting, 0);
        pthread_t thread = thread_start(waiter, arguments[i % 3]);
        if (i < 6)
            wait_asleep(&waiting);
        else
            while (atomic_load(&waiting) == 0)
                sched_yield();
        CHECK_THREAD(pthread_cancel(thread));
        CHECK(thread_end(thread) == PTHREAD_CANCELED);
        /* 32 and 33 are the C library's own. */
        for (int number = 1; number < NSIG; number++)
            CHECK(number == 32 || number == 33 ||
                  sigismember(&before, number) == sigismember(&after, number));
        if (arguments[i % 3] != NULL) {
            CHECK(write(ends[1], "x", 1) == 1);
            while (atomic_load(&runs) < expected)
                sleep_ms(1);
        }
    }
    return 0;
}
