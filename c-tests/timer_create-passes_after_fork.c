/* A child has none of its parent's timers, and makes its own, with every kind of notification. */
#include "check.h"

static atomic_int calls;

static void called(union sigval value)
{
    atomic_fetch_add(&calls, value.sival_int);
}

/* Runs until a timer of each kind has expired. */
static timer_t all_kinds(void)
{
    struct itimerspec soon = { { 0, 0 }, milliseconds(5) };
    struct sigevent how;
    timer_t timer, other;
    memset(&how, 0, sizeof how);
    how.sigev_notify = SIGEV_THREAD;
    how.sigev_notify_function = called;
    how.sigev_value.sival_int = 1;
    atomic_store(&calls, 0);
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &how, &timer));
    CHECK_OK(timer_settime(timer, 0, &soon, NULL));
    while (atomic_load(&calls) == 0)
        sleep_ms(1);
    CHECK_OK(timer_delete(timer));

    how.sigev_notify = SIGEV_SIGNAL;
    how.sigev_signo = SIGUSR1;
    signals_seen = 0;
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &how, &other));
    CHECK_OK(timer_settime(other, 0, &soon, NULL));
    while (signals_seen == 0)
        sleep_ms(1);
    return other;
}

int main(void)
{
    check_start();
    signal_catch();
    timer_t timer = all_kinds();
    pid_t child = child_start();
    if (child == 0) {
        CHECK_ERR(timer_getoverrun(timer), EINVAL);
        CHECK_ERR(timer_delete(timer), EINVAL);
        timer = all_kinds();
        CHECK_OK(timer_delete(timer));
        exit(0);
    }
    child_end(child);
    CHECK_OK(timer_delete(timer));
    return 0;
}
