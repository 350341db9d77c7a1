/* A standard signal that is sent several times before it is fetched is told once. */
#include "check.h"
#include "signals.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int source;
    sigset_t set = SIGNALS(SIGUSR1, SIGUSR2, SIGTERM);
    CHECK_SET(source, ec_add_signal(ec, &set, 0, 1));
    for (int i = 0; i < 20; i++) {
        event_data_t events[8];
        int n, seen = 0;
        for (int j = 0; j < 5; j++)
            CHECK(kill(getpid(), SIGUSR1) == 0 && kill(getpid(), SIGTERM) == 0);
        CHECK_SET(n, ec_wait_events(ec, events, 8, NULL, NULL));
        CHECK(n == 2);
        for (int j = 0; j < n; j++) {
            CHECK(events[j].ev_type == EC_EV_SIGNAL && events[j].ev_source == source);
            CHECK(events[j].ev_result == 1);
            seen |= events[j].ev_fd == SIGUSR1 ? 1 : events[j].ev_fd == SIGTERM ? 2 : 4;
        }
        CHECK(seen == 3);
        check_no_event(ec, 1);
        CHECK(signal_take(&set) == 0);
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
