/* With EC_COUNTER on a timerfd the event has the number of expirations: none is missing. */
#include "check.h"

#include <sys/timerfd.h>

int main(void)
{
    check_start();
    for (int kind = 0; kind <= TFD_NONBLOCK; kind += TFD_NONBLOCK) {
        ec_t ec = channel_new(0);
        struct itimerspec when = { { 0, 2000000 }, { 0, 2000000 } }, never = { { 0, 0 }, { 0, 0 } };
        struct timespec start, end;
        int source, fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | kind);
        size_t expired = 0;
        CHECK(fd >= 0);
        CHECK_SET(source, ec_add_fd(ec, fd, POLLIN, EC_COUNTER, 0));
        CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
        CHECK(timerfd_settime(fd, 0, &when, NULL) == 0);
        for (int i = 0; i < 10; i++) {
            event_data_t event = event_wait(ec);
            CHECK(event.ev_type == EC_EV_FD && event.ev_fd == fd && event.ev_source == source);
            CHECK(event.ev_result == POLLIN && event.ev_len >= 1);
            expired += event.ev_len;
            sleep_ms(5);
        }
        /* There was time for as many as were told. */
        expired += event_wait(ec).ev_len;
        CHECK(clock_gettime(CLOCK_MONOTONIC, &end) == 0);
        double passed = (double)(end.tv_sec - start.tv_sec) * 1e3
                      + (double)(end.tv_nsec - start.tv_nsec) / 1e6;
        CHECK((double)expired * 2 <= passed);
        CHECK(expired >= 11);

        CHECK(timerfd_settime(fd, 0, &never, NULL) == 0);
        event_data_t event;
        while (ec_next_event(ec, &event) == 0)
            CHECK(event.ev_source == source);
        check_no_event(ec, 10);
        CHECK_OK(ec_destroy(ec));
        CHECK(close(fd) == 0);
    }
    return 0;
}
