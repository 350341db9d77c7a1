/* timer_settime, timer_gettime and timer_getoverrun may be called in a signal handler. */
#include "check.h"

static timer_t timer;
static volatile sig_atomic_t runs;

static void handler(int number)
{
    struct itimerspec soon = { { 0, 0 }, { 0, 200000 } }, rest;
    int error = errno;
    (void)number;
    if (timer_getoverrun(timer) < 0 || timer_gettime(timer, &rest) < 0 ||
        timer_settime(timer, 0, &soon, NULL) < 0)
        _exit(1);
    runs++;
    errno = error;
}

int main(void)
{
    check_start();
    struct itimerspec soon = { { 0, 0 }, { 0, 200000 } };
    struct sigaction action;
    struct sigevent how;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
    memset(&how, 0, sizeof how);
    how.sigev_notify = SIGEV_SIGNAL;
    how.sigev_signo = SIGUSR2;
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &how, &timer));
    CHECK_OK(timer_settime(timer, 0, &soon, NULL));

    /* The handler interrupts calls of the same kind, and the allocator. */
    while (runs < 500) {
        timer_t other;
        how.sigev_notify = SIGEV_NONE;
        CHECK(timer_create(CLOCK_MONOTONIC, &how, &other) == 0);
        free(malloc(1000));
        CHECK(timer_delete(other) == 0);
    }
    CHECK(timer_delete(timer) == 0);
    return 0;
}
