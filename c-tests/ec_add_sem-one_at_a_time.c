/* A source holds at most one unit that was not fetched; it takes the next one after the fetch. */
#include "check.h"

static int value_of(sem_t *sem)
{
    int value;
    CHECK(sem_getvalue(sem, &value) == 0);
    return value;
}

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    sem_t sem;
    int source;
    CHECK(sem_init(&sem, 0, 10) == 0);
    CHECK_SET(source, ec_add_sem(ec, &sem, 0, 1));
    for (int left = 9; left >= 0; left--) {
        CHECK(value_of(&sem) == left);
        CHECK_OK(ec_delay(ec, NULL));
        CHECK(value_of(&sem) == left);
        CHECK(event_wait(ec).ev_source == source);
    }
    check_no_event(ec, 10);
    /* Many at once are told one by one. */
    for (int i = 0; i < 5; i++)
        CHECK(sem_post(&sem) == 0);
    for (int i = 0; i < 5; i++)
        CHECK(event_wait(ec).ev_source == source);
    check_no_event(ec, 10);
    CHECK_OK(ec_remove(ec, source));
    CHECK(value_of(&sem) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
