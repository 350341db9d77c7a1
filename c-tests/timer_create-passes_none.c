/* timer_create with SIGEV_NONE only counts down, as the C library has it; so do CPU-time clocks. */
#include "check.h"

static long ms_of(const struct timespec *time)
{
    return time->tv_sec * 1000 + time->tv_nsec / 1000000;
}

int main(void)
{
    check_start();
    static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME,
                                        CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };
    struct sigevent how;
    memset(&how, 0, sizeof how);
    how.sigev_notify = SIGEV_NONE;
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        struct itimerspec when = { milliseconds(7000), milliseconds(90000) }, rest, old;
        timer_t timer;
        CHECK_OK(timer_create(clocks[i], &how, &timer));
        CHECK_OK(timer_settime(timer, 0, &when, NULL));
        CHECK_OK(timer_gettime(timer, &rest));
        CHECK(ms_of(&rest.it_value) > 60000 && ms_of(&rest.it_value) <= 90000);
        CHECK(ms_of(&rest.it_interval) == 7000);
        CHECK(timer_getoverrun(timer) == 0);
        memset(&when, 0, sizeof when);
        CHECK_OK(timer_settime(timer, 0, &when, &old));
        CHECK(ms_of(&old.it_value) > 60000 && ms_of(&old.it_interval) == 7000);
        CHECK_OK(timer_delete(timer));
    }
    return 0;
}
