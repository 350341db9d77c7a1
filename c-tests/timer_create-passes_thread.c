/* timer_create with SIGEV_THREAD runs the function in a thread, as the C library has it. */
#include "check.h"

static atomic_int calls;
static pthread_t caller;

static void called(union sigval value)
{
    CHECK(value.sival_int == 99 && !pthread_equal(pthread_self(), caller));
    atomic_fetch_add(&calls, 1);
}

int main(void)
{
    check_start();
    struct itimerspec soon = { milliseconds(5), milliseconds(5) }, rest;
    pthread_attr_t attributes;
    struct sigevent how;
    timer_t timer;
    caller = pthread_self();
    CHECK_THREAD(pthread_attr_init(&attributes));
    memset(&how, 0, sizeof how);
    how.sigev_notify = SIGEV_THREAD;
    how.sigev_notify_function = called;
    how.sigev_notify_attributes = &attributes;
    how.sigev_value.sival_int = 99;
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &how, &timer));
    CHECK_OK(timer_settime(timer, 0, &soon, NULL));
    while (atomic_load(&calls) < 5)
        sleep_ms(1);
    CHECK_OK(timer_gettime(timer, &rest));
    CHECK(rest.it_interval.tv_nsec == 5000000);
    CHECK(timer_getoverrun(timer) >= 0);
    CHECK_OK(timer_delete(timer));
    return 0;
}
