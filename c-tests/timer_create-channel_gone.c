/*
 * After ec_destroy or ec_remove the timer is dead: it cannot be set, and deleting it succeeds once.
 * Its source's number and its descriptor's may have become another timer's, which stays alive.
 */
#include "sigevent.h"

static void check_dead(timer_t timer)
{
    struct itimerspec when = { { 0, 0 }, { 1, 0 } };
    CHECK_ERR(timer_settime(timer, 0, &when, NULL), EINVAL);
    CHECK_ERR(timer_gettime(timer, &when), EINVAL);
    CHECK_ERR(timer_getoverrun(timer), EINVAL);
    CHECK_OK(timer_delete(timer));
    CHECK_ERR(timer_delete(timer), EINVAL);
}

int main(void)
{
    check_start();
    int before = count_descriptors();
    ec_t ec = channel_new(0);
    timer_t timer = timer_new(ec, 1);
    timer_arm(timer, 1, 1);
    sleep_ms(5);
    CHECK_OK(ec_destroy(ec));
    CHECK(count_descriptors() == before);
    ec_t again = channel_new(0);
    CHECK(again == ec);
    timer_t other = timer_new(ec, 2);
    check_dead(timer);
    timer_arm(other, 1, 0);
    event_data_t event = event_wait(ec);
    CHECK(event.ev_cookie == 2);

    /* Sources are numbered in turn: after so many the number of the first comes back. */
    CHECK_OK(ec_remove(ec, event.ev_source));
    for (int i = 0; i < 5000; i++) {
        int source;
        timer = timer_new(ec, 3);
        timer_arm(timer, 1, 0);
        CHECK(is_readable(ec, WAIT_MS) == 1);
        CHECK_OK(ec_next_event(ec, &event));
        source = event.ev_source;
        if (source == 0)
            break;
        CHECK_OK(ec_remove(ec, source));
        CHECK_OK(timer_delete(timer));
    }
    check_dead(other);
    CHECK_OK(timer_delete(timer));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
