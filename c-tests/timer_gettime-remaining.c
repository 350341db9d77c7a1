/* timer_gettime tells what is left until the next expiration, and the interval. */
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    timer_t timer = timer_new(ec, 1);
    struct itimerspec rest;
    memset(&rest, 0xa5, sizeof rest);
    CHECK_OK(timer_gettime(timer, &rest));
    CHECK(rest.it_value.tv_sec == 0 && rest.it_value.tv_nsec == 0);
    CHECK(rest.it_interval.tv_sec == 0 && rest.it_interval.tv_nsec == 0);
    timer_arm(timer, 60000, 1500);
    sleep_ms(5);
    CHECK_OK(timer_gettime(timer, &rest));
    CHECK(in_ms(rest.it_value) < 60000 && in_ms(rest.it_value) > 40000);
    CHECK(in_ms(rest.it_interval) == 1500);

    /* After the first expiration it is the interval that goes by. */
    timer_arm(timer, 1, 50000);
    CHECK(event_wait(ec).ev_result == 1);
    CHECK_OK(timer_gettime(timer, &rest));
    CHECK(in_ms(rest.it_value) > 30000 && in_ms(rest.it_value) <= 50000);

    /* One that has expired for good is not armed. */
    timer_arm(timer, 1, 0);
    CHECK(event_wait(ec).ev_result == 1);
    CHECK_OK(timer_gettime(timer, &rest));
    CHECK(rest.it_value.tv_sec == 0 && rest.it_value.tv_nsec == 0);
    CHECK_OK(timer_delete(timer));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
