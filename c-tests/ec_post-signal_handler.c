/*
 * ec_post from a thread that is interrupted all the time: a signal that arrives inside the library
 * loses no event and deadlocks nothing.
 */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    signal_catch();
    timer_t timer = signal_start();
    struct itimerspec storm = { { 0, 50000 }, { 0, 50000 } };
    CHECK(timer_settime(timer, 0, &storm, NULL) == 0);
    for (uint64_t i = 0; i < 20000; i++) {
        event_data_t event;
        post_user(ec, i);
        CHECK_OK(ec_next_event(ec, &event));
        CHECK(event.ev_cookie == i);
    }
    CHECK(timer_delete(timer) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
