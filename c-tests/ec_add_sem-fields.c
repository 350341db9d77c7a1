/* The event of a semaphore, member by member: the unit is taken, once. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    sem_t sem;
    int source, value;
    CHECK(sem_init(&sem, 0, 0) == 0);
    CHECK_SET(source, ec_add_sem(ec, &sem, 0, UINT64_MAX));
    check_no_event(ec, 20);
    CHECK(sem_post(&sem) == 0);
    event_data_t event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_SEM);
    CHECK(event.ev_fd == -1);
    CHECK(event.ev_cookie == UINT64_MAX);
    CHECK(event.ev_result == 0);
    CHECK(event.ev_errno == 0 && event.ev_flags == 0);
    CHECK(event.ev_ptr == &sem);
    CHECK(event.ev_len == 0);
    CHECK(event.ev_source == source);
    check_no_event(ec, 20);
    CHECK(sem_getvalue(&sem, &value) == 0 && value == 0);
    CHECK(sem_trywait(&sem) == -1 && errno == EAGAIN);
    CHECK_OK(ec_remove(ec, source));
    CHECK(sem_post(&sem) == 0);
    check_no_event(ec, 20);
    CHECK(sem_trywait(&sem) == 0);
    CHECK(sem_destroy(&sem) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
