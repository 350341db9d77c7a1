/* The calls on a timer of SIGEV_EC refuse times that are none, unknown flags, and ids that are none. */
#include "sigevent.h"

static void all_refuse(timer_t timer)
{
    struct itimerspec when = { { 0, 0 }, { 1, 0 } };
    CHECK_ERR(timer_settime(timer, 0, &when, NULL), EINVAL);
    CHECK_ERR(timer_gettime(timer, &when), EINVAL);
    CHECK_ERR(timer_getoverrun(timer), EINVAL);
    CHECK_ERR(timer_delete(timer), EINVAL);
}

int main(void)
{
    check_start();
    static const struct itimerspec bad[] = {
        { { 0, 0 }, { 0, -1 } },         { { 0, 0 }, { 0, 1000000000 } },
        { { 0, 0 }, { -1, 0 } },         { { 0, 1000000000 }, { 1, 0 } },
        { { 0, -1 }, { 1, 0 } },         { { -1, 0 }, { 1, 0 } },
    };
    ec_t ec = channel_new(0);
    timer_t timer = timer_new(ec, 1);
    struct itimerspec late = { milliseconds(0), milliseconds(3600000) }, rest;
    CHECK_OK(timer_settime(timer, 0, &late, NULL));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_ERR(timer_settime(timer, 0, &bad[i], NULL), EINVAL);
    for (int bit = 1; bit < 32; bit++)
        CHECK_ERR(timer_settime(timer, (int)(1u << bit), &late, NULL), EINVAL);
    CHECK_ERR(timer_settime(timer, 0, NULL, NULL), EFAULT);
    CHECK_ERR(timer_gettime(timer, NULL), EFAULT);
    /* A call that fails changes nothing. */
    CHECK_OK(timer_gettime(timer, &rest));
    CHECK(in_ms(rest.it_value) > 3500000);

    CHECK_OK(timer_delete(timer));
    all_refuse(timer);
    for (uintptr_t i = 1; i < 100; i++)
        all_refuse((timer_t)((uintptr_t)timer + i));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
