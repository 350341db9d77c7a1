/* Expirations that nobody has fetched are one event with their number. */
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(EC_CAPACITY(1));
    timer_t timer = timer_new(ec, 1);
    timer_arm(timer, 10, 10);
    for (int i = 0; i < 3; i++) {
        sleep_ms(65);
        event_data_t event;
        CHECK_OK(ec_next_event(ec, &event));
        CHECK(event.ev_type == EC_EV_TIMER && event.ev_result >= 4);
    }
    timer_arm(timer, 0, 0);
    check_no_event(ec, 30);
    CHECK_OK(timer_delete(timer));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
