/* ec_destroy wakes every waiter, in ec_wait_events and in ec_delay, with EBADF. */
#include "check.h"

#define WAITERS 8

static ec_t ec;
static _Atomic pid_t waiter_id[WAITERS];

static void *waiter(void *argument)
{
    long number = (_Atomic pid_t *)argument - waiter_id;
    struct timespec limit = milliseconds(WAIT_MS);
    event_data_t event;
    atomic_store(&waiter_id[number], thread_id());
    switch (number % 4) {
    case 0:
        CHECK_ERR(ec_wait_events(ec, &event, 1, NULL, NULL), EBADF);
        break;
    case 1:
        CHECK_ERR(ec_wait_events(ec, &event, 1, &limit, NULL), EBADF);
        break;
    case 2:
        CHECK_ERR(ec_delay(ec, NULL), EBADF);
        break;
    default:
        CHECK_ERR(ec_delay(ec, &limit), EBADF);
    }
    return NULL;
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
    CHECK_OK(ec_destroy(ec));
    for (int i = 0; i < WAITERS; i++)
        thread_end(threads[i]);
    return 0;
}
