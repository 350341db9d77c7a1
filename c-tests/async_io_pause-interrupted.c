/* A handler of the program's ends async_io_pause and pause with EINTR, also with SA_RESTART; the
 * registration stays. */
#include "callback.h"

static _Atomic pid_t waiting;
static pthread_t waiter;

static void *interrupter(void *argument)
{
    wait_asleep(&waiting);
    CHECK_THREAD(pthread_kill(waiter, SIGUSR1));
    return argument;
}

int main(void)
{
    check_start();
    int ends[2];
    struct sigaction action;
    waiter = pthread_self();
    CHECK(pipe(ends) == 0);
    CHECK_OK(async_io_notify(ends[0], complete, NULL));
    for (int i = 0; i < 4; i++) {
        memset(&action, 0, sizeof action);
        action.sa_handler = signal_count;
        action.sa_flags = i & 1 ? SA_RESTART : 0;
        CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
        atomic_store(&waiting, thread_id());
        pthread_t thread = thread_start(interrupter, NULL);
        if (i & 2)
            CHECK_ERR(pause(), EINTR);
        else
            CHECK_ERR(async_io_pause(), EINTR);
        CHECK(signals_seen == i + 1 && atomic_load(&runs) == 0);
        thread_end(thread);
    }
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK_OK(async_io_pause());
    CHECK(atomic_load(&runs) == 1);
    return 0;
}
