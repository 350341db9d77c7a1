/* Expirations of a periodic timer that nobody fetched are one event that carries their number. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    struct itimerspec when = { milliseconds(20), milliseconds(20) };
    event_data_t event;
    int source;
    CHECK_SET(source, ec_add_timer(ec, CLOCK_MONOTONIC, &when, 0, 1));
    sleep_ms(150);
    CHECK_OK(ec_next_event(ec, &event));
    CHECK(event.ev_type == EC_EV_TIMER && event.ev_source == source);
    CHECK(event.ev_result >= 7);
    for (int i = 0; i < 5; i++) {
        event = event_wait(ec);
        CHECK(event.ev_source == source && event.ev_result >= 1);
    }
    CHECK_OK(ec_remove(ec, source));
    check_no_event(ec, 50);

    /* The first expiration has a time of its own. */
    when.it_value = milliseconds(1);
    when.it_interval = milliseconds(3600000);
    CHECK_SET(source, ec_add_timer(ec, CLOCK_MONOTONIC, &when, 0, 2));
    CHECK(event_wait(ec).ev_result == 1);
    check_no_event(ec, 20);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
