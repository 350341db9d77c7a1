/* A timer's source is one like any other: ec_remove ends it, ec_modify does not change it. */
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    timer_t timer = timer_new(ec, 1);
    int before = count_descriptors();
    timer_arm(timer, 1, 1);
    int source = event_wait(ec).ev_source;
    CHECK_ERR(ec_modify(ec, source, 0, 0), EINVAL);
    CHECK_OK(ec_remove(ec, source));
    check_no_event(ec, 5);
    CHECK(count_descriptors() == before - 1);
    CHECK_ERR(timer_getoverrun(timer), EINVAL);
    CHECK_OK(timer_delete(timer));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
