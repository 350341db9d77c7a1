/*
 * Real-time signals are told one by one, none is lost, and in the order of signal(7): the lowest
 * number first, and those of one number as they were sent; whatever the room is that is asked for.
 */
#include "check.h"
#include "signals.h"

#define SIGNALS_MAX 100

int main(void)
{
    static const int rooms[] = { 1, 2, 7, 32, 33, 64, SIGNALS_MAX };
    check_start();
    sigset_t set = SIGNALS(SIGRTMIN, SIGRTMIN + 3);
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        ec_t ec = channel_new(0);
        event_data_t events[SIGNALS_MAX];
        int source, told = 0;
        CHECK_SET(source, ec_add_signal(ec, &set, 0, 1));
        for (int value = 0; value < SIGNALS_MAX; value++)
            signal_send(value % 2 ? SIGRTMIN : SIGRTMIN + 3, value);
        while (told < SIGNALS_MAX) {
            int n;
            CHECK_SET(n, ec_wait_events(ec, events, rooms[i], NULL, NULL));
            CHECK(n <= rooms[i]);
            for (int j = 0; j < n; j++, told++) {
                /* The odd ones come first. */
                int is_low = told < SIGNALS_MAX / 2;
                union sigval value = { .sival_ptr = events[j].ev_ptr };
                CHECK(events[j].ev_fd == (is_low ? SIGRTMIN : SIGRTMIN + 3));
                CHECK(value.sival_int == told * 2 % SIGNALS_MAX + is_low);
                CHECK(events[j].ev_result == 1 && events[j].ev_source == source);
            }
        }
        check_no_event(ec, 5);
        CHECK_OK(ec_destroy(ec));
    }
    return 0;
}
