/* Timers that come and go, with their channel or without, leave nothing behind. */
#include "sigevent.h"

static void body(void)
{
    ec_t ec = channel_new(0);
    timer_t timer[20];
    for (int i = 0; i < 20; i++) {
        timer[i] = timer_new(ec, 1);
        timer_arm(timer[i], i % 2, i % 3);
    }
    for (int i = 0; i < 10; i++)
        CHECK_OK(timer_delete(timer[i]));
    CHECK_OK(ec_destroy(ec));
    for (int i = 10; i < 20; i++)
        CHECK_OK(timer_delete(timer[i]));
}

int main(void)
{
    check_start();
    check_no_leak(body, 16 * 1024);
    return 0;
}
