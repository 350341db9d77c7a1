/*
 * Whatever the registering thread waits in, it is interrupted after the callback: calls that go
 * on after a signal do so, others end. No other thread is.
 */
#include "callback.h"

static _Atomic pid_t waiting;
static int ends[2], silent[2];

static void *writer(void *argument)
{
    struct timespec time = milliseconds(50);
    for (int i = 0; i < 4; i++) {
        while (atomic_load(&waiting) == 0)
            sched_yield();
        wait_asleep(&waiting);
        atomic_store(&waiting, 0);
        CHECK(write(ends[1], "x", 1) == 1);
    }
    while (atomic_load(&runs) < 4)
        sched_yield();
    CHECK(nanosleep(&time, NULL) == 0);
    CHECK(write(silent[1], "x", 1) == 1);
    return argument;
}

static void begin(void)
{
    CHECK_OK(async_io_notify(ends[0], complete_byte, NULL));
    atomic_store(&waiting, thread_id());
}

int main(void)
{
    check_start();
    struct timespec hour = { 3600, 0 };
    struct pollfd set;
    sigset_t none;
    char byte;
    CHECK(pipe(ends) == 0 && pipe(silent) == 0);
    set = (struct pollfd){ silent[0], POLLIN, 0 };
    CHECK(sigemptyset(&none) == 0);
    pthread_t thread = thread_start(writer, NULL);
    begin();
    CHECK(nanosleep(&hour, NULL) == -1 && errno == EINTR);
    CHECK_OK(async_io_pause());
    begin();
    CHECK(sigsuspend(&none) == -1 && errno == EINTR);
    CHECK_OK(async_io_pause());
    begin();
    CHECK(poll(&set, 1, -1) == -1 && errno == EINTR);
    CHECK_OK(async_io_pause());
    begin();
    CHECK(read(silent[0], &byte, 1) == 1);
    CHECK(atomic_load(&runs) == 4);
    thread_end(thread);
    return 0;
}
