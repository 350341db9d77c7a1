/* The errors of the C library's timer_create and of the calls on its timers are unchanged. */
#include "check.h"

int main(void)
{
    check_start();
    struct itimerspec when = { { 0, 0 }, { 1, 0 } }, bad = { { 0, 0 }, { 0, 1000000000 } };
    struct sigevent how;
    timer_t timer;
    memset(&how, 0, sizeof how);
    how.sigev_notify = SIGEV_NONE;
    CHECK_ERR_IN(timer_create(12345, &how, &timer), EINVAL, EOPNOTSUPP);
    static const int kinds[] = { 3, 5, 15, 17, 32, -1, 0x7fffffff };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        how.sigev_notify = kinds[i];
        CHECK_ERR(timer_create(CLOCK_MONOTONIC, &how, &timer), EINVAL);
    }
    how.sigev_notify = SIGEV_SIGNAL;
    how.sigev_signo = 1000;
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &how, &timer), EINVAL);

    how.sigev_notify = SIGEV_NONE;
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &how, &timer));
    CHECK_ERR(timer_settime(timer, 0, &bad, NULL), EINVAL);
    CHECK_OK(timer_delete(timer));
    CHECK_ERR(timer_settime(timer, 0, &when, NULL), EINVAL);
    CHECK_ERR(timer_gettime(timer, &when), EINVAL);
    CHECK_ERR(timer_getoverrun(timer), EINVAL);
    CHECK_ERR(timer_delete(timer), EINVAL);
    return 0;
}
