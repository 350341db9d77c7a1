/* Of several threads that delete a timer one succeeds; the others get EINVAL. */
#include "rivals.h"
#include "sigevent.h"

static ec_t ec;
static timer_t timer;

static void arm(int round)
{
    (void)round;
    timer = timer_new(ec, 1);
    timer_arm(timer, 1, 1);
}

static int delete(void)
{
    return timer_delete(timer);
}

int main(void)
{
    check_start();
    ec = channel_new(0);
    thread_rivals(300, arm, delete);
    check_no_event(ec, 10);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
