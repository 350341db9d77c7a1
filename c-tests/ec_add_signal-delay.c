/* ec_delay and poll say that there is a signal and take nothing: it is there for sigtimedwait. */
#include "check.h"
#include "signals.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int source;
    event_data_t event;
    sigset_t set = SIGNALS(SIGUSR1);
    CHECK_SET(source, ec_add_signal(ec, &set, 0, 1));
    for (int i = 0; i < 20; i++) {
        struct timespec limit = milliseconds(WAIT_MS);
        CHECK(is_readable(ec, 0) == 0);
        signal_send(SIGUSR1, i);
        CHECK_OK(ec_delay(ec, &limit));
        CHECK_OK(ec_delay(ec, &limit));
        CHECK(is_readable(ec, WAIT_MS) == 1);
        if (i % 2) {
            CHECK(signal_take(&set) == SIGUSR1);
            CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
        } else {
            CHECK_OK(ec_next_event(ec, &event));
            CHECK(event.ev_fd == SIGUSR1 && event.ev_source == source);
            CHECK(signal_take(&set) == 0);
        }
        check_no_event(ec, 1);
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
