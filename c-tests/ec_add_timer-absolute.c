/* With EC_ABSTIME the time is one of the clock's; one that is past expires at once. */
#include "check.h"

static void add_ms(struct timespec *time, long ms)
{
    time->tv_nsec += ms * 1000000;
    time->tv_sec += time->tv_nsec / 1000000000;
    time->tv_nsec %= 1000000000;
}

static int before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        struct itimerspec when = { { 0, 0 }, { 0, 0 } };
        struct timespec now;
        int source;
        CHECK(clock_gettime(clocks[i], &when.it_value) == 0);
        add_ms(&when.it_value, 30);
        CHECK_SET(source, ec_add_timer(ec, clocks[i], &when, EC_ABSTIME, i));
        event_data_t event = event_wait(ec);
        CHECK(clock_gettime(clocks[i], &now) == 0);
        CHECK(event.ev_source == source && event.ev_result == 1);
        CHECK(clocks[i] == CLOCK_REALTIME || !before(&now, &when.it_value));
        CHECK_OK(ec_remove(ec, source));

        when.it_value.tv_sec = 1;
        when.it_value.tv_nsec = 0;
        CHECK_SET(source, ec_add_timer(ec, clocks[i], &when, EC_ABSTIME, i));
        event = event_wait(ec);
        CHECK(event.ev_source == source && event.ev_result == 1);
        CHECK_OK(ec_remove(ec, source));
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
