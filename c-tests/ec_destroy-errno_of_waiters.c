/*
 * The last thread that leaves a destroyed channel frees it, and still finds in errno what its own
 * call says: EBADF, or nothing if it has got an event.
 */
#include "check.h"

#define ROUNDS 300
#define WAITERS 4

static ec_t ec;
static _Atomic int waiting;

static void *waiter(void *argument)
{
    event_data_t event;
    int number = *(int *)argument;
    atomic_fetch_add(&waiting, 1);
    errno = ERRNO_KEPT;
    int n = number % 2 ? ec_delay(ec, NULL) : ec_wait_events(ec, &event, 1, NULL, NULL);
    if (n == -1)
        CHECK(errno == EBADF);
    else
        CHECK(errno == ERRNO_KEPT);
    return NULL;
}

int main(void)
{
    check_start();
    static int number[WAITERS] = { 0, 1, 2, 3 };
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t threads[WAITERS];
        ec = channel_new(0);
        atomic_store(&waiting, 0);
        for (int k = 0; k < WAITERS; k++)
            threads[k] = thread_start(waiter, &number[k]);
        while (atomic_load(&waiting) < WAITERS)
            sched_yield();
        for (int k = 0; k < i % 50; k++)
            sched_yield();
        if (i % 3 == 0)
            post_user(ec, 1);
        CHECK_OK(ec_destroy(ec));
        for (int k = 0; k < WAITERS; k++)
            thread_end(threads[k]);
    }
    return 0;
}
