/* Signals of the program's every 100 microseconds, in whatever thread they hit: each callback runs
 * once and no wake-up is lost. */
#include "callback.h"

#define ROUNDS 2000


static void *work(void *argument)
{
    int ends[2];
    _Atomic int *sum = argument;
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK(async_io_notify(ends[0], complete_byte, NULL) == 0);
        CHECK(write(ends[1], "x", 1) == 1);
        while (async_io_pause() == -1)
            CHECK(errno == EINTR);
        atomic_fetch_add(sum, 1);
    }
    CHECK(async_io_pause() == -1 && (errno == EDEADLK || errno == EINTR));
    return NULL;
}

int main(void)
{
    check_start();
    _Atomic int sum;
    atomic_init(&sum, 0);
    signal_catch();
    timer_t timer = signal_start();
    struct itimerspec when = { { 0, 100000 }, { 0, 100000 } };
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    pthread_t thread = thread_start(work, (void *)&sum);
    work((void *)&sum);
    thread_end(thread);
    CHECK(atomic_load(&sum) == 2 * ROUNDS && atomic_load(&runs) == 2 * ROUNDS);
    CHECK(signals_seen > 0);
    return 0;
}
