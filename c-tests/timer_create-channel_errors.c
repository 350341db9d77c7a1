/* timer_create with SIGEV_EC refuses what is no channel, other clocks, and no room for the id. */
#include "sigevent.h"

int main(void)
{
    check_start();
    static const int numbers[] = { -1, INT_MIN, INT_MAX, STDERR_FILENO, 12345 };
    ec_t ec = channel_new(0), gone = channel_new(0);
    struct sigevent how;
    timer_t timer, kept;
    memset(&timer, 0xa5, sizeof timer);
    kept = timer;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        how = to_channel(numbers[i], 1);
        CHECK_ERR(timer_create(CLOCK_MONOTONIC, &how, &timer), EBADF);
    }
    CHECK_OK(ec_destroy(gone));
    how = to_channel(gone, 1);
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &how, &timer), EBADF);
    /* The channel first. */
    CHECK_ERR(timer_create(12345, &how, &timer), EBADF);

    how = to_channel(ec, 1);
    CHECK_ERR(timer_create(12345, &how, &timer), EINVAL);
    CHECK_ERR(timer_create(-1, &how, &timer), EINVAL);
    CHECK_ERR(timer_create(CLOCK_PROCESS_CPUTIME_ID, &how, &timer), EINVAL);
    CHECK_ERR(timer_create(CLOCK_THREAD_CPUTIME_ID, &how, &timer), EINVAL);
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &how, NULL), EFAULT);
    CHECK(timer == kept);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
