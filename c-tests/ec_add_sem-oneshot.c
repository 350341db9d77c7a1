/* With EC_ONESHOT one unit is taken, and another one only after ec_modify, which changes the way. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    sem_t sem;
    int source, value;
    CHECK(sem_init(&sem, 0, 3) == 0);
    CHECK_SET(source, ec_add_sem(ec, &sem, EC_ONESHOT, 1));
    CHECK(event_wait(ec).ev_source == source);
    check_no_event(ec, 10);
    CHECK(sem_getvalue(&sem, &value) == 0 && value == 2);
    CHECK_OK(ec_modify(ec, source, 0, EC_ONESHOT));
    /* Armed twice is armed once, and the unit that was taken stays queued. */
    CHECK_OK(ec_modify(ec, source, 0, EC_ONESHOT));
    CHECK(event_wait(ec).ev_source == source);
    check_no_event(ec, 10);
    CHECK(sem_getvalue(&sem, &value) == 0 && value == 1);
    CHECK_OK(ec_modify(ec, source, 0, 0));
    CHECK(event_wait(ec).ev_source == source);
    CHECK(sem_post(&sem) == 0);
    CHECK(event_wait(ec).ev_source == source);
    check_no_event(ec, 10);
    CHECK_OK(ec_modify(ec, source, 0, EC_ONESHOT));
    CHECK(sem_post(&sem) == 0 && sem_post(&sem) == 0);
    CHECK(event_wait(ec).ev_source == source);
    check_no_event(ec, 10);
    CHECK(sem_trywait(&sem) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
