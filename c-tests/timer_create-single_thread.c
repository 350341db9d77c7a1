/* The timers of a channel made with EC_SINGLE are the creating thread's. */
#include "sigevent.h"

static ec_t ec;
static timer_t timer;

static void *intruder(void *unused)
{
    struct sigevent how = to_channel(ec, 1);
    struct itimerspec when = { { 0, 0 }, { 1, 0 } };
    timer_t other;
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &how, &other), EPERM);
    CHECK_ERR(timer_settime(timer, 0, &when, NULL), EPERM);
    CHECK_ERR(timer_gettime(timer, &when), EPERM);
    CHECK_ERR(timer_getoverrun(timer), EPERM);
    CHECK_ERR(timer_delete(timer), EPERM);
    return unused;
}

int main(void)
{
    check_start();
    ec = channel_new(EC_SINGLE);
    timer = timer_new(ec, 1);
    thread_end(thread_start(intruder, NULL));
    timer_arm(timer, 1, 0);
    CHECK(event_wait(ec).ev_result == 1);
    CHECK_OK(timer_delete(timer));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
