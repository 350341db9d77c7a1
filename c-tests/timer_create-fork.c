/* A child has none of its parent's timers, with SIGEV_EC too; it makes its own, with other ids. */
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    struct sigevent how = to_channel(ec, 1);
    timer_t timer = timer_new(ec, 1);
    timer_arm(timer, 1, 5);
    pid_t child = child_start();
    if (child == 0) {
        struct itimerspec when = { { 0, 0 }, { 1, 0 } };
        timer_t other;
        CHECK_ERR(timer_settime(timer, 0, &when, NULL), EINVAL);
        CHECK_ERR(timer_gettime(timer, &when), EINVAL);
        CHECK_ERR(timer_getoverrun(timer), EINVAL);
        CHECK_ERR(timer_delete(timer), EINVAL);
        CHECK_ERR(timer_create(CLOCK_MONOTONIC, &how, &other), EPERM);
        ec_t own = channel_new(0);
        other = timer_new(own, 2);
        CHECK(other != timer);
        timer_arm(other, 1, 0);
        CHECK(event_wait(own).ev_cookie == 2);
        CHECK_ERR(timer_delete(timer), EINVAL);
        CHECK_OK(timer_delete(other));
        exit(0);
    }
    child_end(child);
    for (int i = 0; i < 5; i++)
        CHECK(event_wait(ec).ev_cookie == 1);
    CHECK_OK(timer_delete(timer));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
