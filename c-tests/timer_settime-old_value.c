/* timer_settime tells what was left of the time before, and the interval before. */
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    timer_t timer = timer_new(ec, 1);
    struct itimerspec when = { milliseconds(7000), milliseconds(90000) }, old;
    CHECK_OK(timer_settime(timer, 0, &when, &old));
    CHECK(in_ms(old.it_value) == 0 && old.it_value.tv_nsec == 0 && in_ms(old.it_interval) == 0);
    when.it_interval = milliseconds(0);
    CHECK_OK(timer_settime(timer, 0, &when, &old));
    CHECK(in_ms(old.it_value) > 60000 && in_ms(old.it_value) <= 90000);
    CHECK(in_ms(old.it_interval) == 7000);

    when.it_value = milliseconds(50000);
    CHECK_OK(timer_settime(timer, 0, &when, &old));
    CHECK(in_ms(old.it_value) > 60000 && in_ms(old.it_interval) == 0);
    when.it_value = milliseconds(0);
    CHECK_OK(timer_settime(timer, 0, &when, &old));
    CHECK(in_ms(old.it_value) > 30000 && in_ms(old.it_value) <= 50000);
    CHECK_OK(timer_delete(timer));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
