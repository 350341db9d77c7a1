/* ec_wake(ec, n) wakes n of the threads that wait, or all if they are fewer. */
#include "check.h"

#define WAITERS 6

static ec_t ec;
static _Atomic pid_t waiter_id[WAITERS];
static _Atomic int woken;

static void *waiter(void *argument)
{
    event_data_t event;
    atomic_store((_Atomic pid_t *)argument, thread_id());
    CHECK_IS(ec_wait_events(ec, &event, 1, NULL, NULL), 0);
    atomic_fetch_add(&woken, 1);
    return NULL;
}

static void wait_woken(int number)
{
    while (atomic_load(&woken) < number)
        sleep_ms(1);
    sleep_ms(50);
    CHECK(atomic_load(&woken) == number);
}

int main(void)
{
    check_start();
    pthread_t threads[WAITERS];
    ec = channel_new(0);
    for (int i = 0; i < WAITERS; i++)
        threads[i] = thread_start(waiter, &waiter_id[i]);
    for (int i = 0; i < WAITERS; i++)
        wait_asleep(&waiter_id[i]);
    CHECK_OK(ec_wake(ec, 1));
    wait_woken(1);
    CHECK_OK(ec_wake(ec, 2));
    wait_woken(3);
    CHECK_OK(ec_wake(ec, 100));
    wait_woken(6);
    for (int i = 0; i < WAITERS; i++)
        thread_end(threads[i]);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
