/* Timers and registrations that report to a channel. */
#ifndef SIGEVENT_H
#define SIGEVENT_H

#include "check.h"

/* The bytes that are nobody's business are not zero: no call may look at them. */
static inline struct sigevent to_channel(ec_t ec, uintptr_t cookie)
{
    struct sigevent how;
    memset(&how, 0xa5, sizeof how);
    how.sigev_notify = SIGEV_EC;
    how.sigev_ec = ec;
    how.sigev_value.sival_ptr = (void *)cookie;
    return how;
}

static inline timer_t timer_new(ec_t ec, uintptr_t cookie)
{
    struct sigevent how = to_channel(ec, cookie);
    timer_t timer;
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &how, &timer));
    return timer;
}

static inline void timer_arm(timer_t timer, long first_ms, long interval_ms)
{
    struct itimerspec when = { milliseconds(interval_ms), milliseconds(first_ms) };
    CHECK_OK(timer_settime(timer, 0, &when, NULL));
}

static inline long in_ms(struct timespec time)
{
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

#endif
