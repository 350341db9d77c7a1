/* ec_add_timer refuses unknown clocks, flags and times that are none with EINVAL. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    struct itimerspec late = { { 0, 0 }, { 3600, 0 } };
    CHECK_ERR(ec_add_timer(ec, 12345, &late, 0, 0), EINVAL);
    CHECK_ERR(ec_add_timer(ec, -1, &late, 0, 0), EINVAL);
    CHECK_ERR(ec_add_timer(ec, CLOCK_THREAD_CPUTIME_ID, &late, 0, 0), EINVAL);
    for (int bit = 2; bit < 32; bit++)
        CHECK_ERR(ec_add_timer(ec, CLOCK_MONOTONIC, &late, 1u << bit, 0), EINVAL);

    static const struct itimerspec bad[] = {
        { { 0, 0 }, { 0, -1 } },
        { { 0, 0 }, { 0, 1000000000 } },
        { { 0, 0 }, { -1, 0 } },
        { { 0, 1000000000 }, { 1, 0 } },
        { { 0, -1 }, { 1, 0 } },
        { { -1, 0 }, { 1, 0 } },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_ERR(ec_add_timer(ec, CLOCK_MONOTONIC, &bad[i], 0, 0), EINVAL);

    static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        int source;
        CHECK_SET(source, ec_add_timer(ec, clocks[i], &late, 0, 0));
        CHECK_OK(ec_remove(ec, source));
    }
    check_no_event(ec, 20);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
