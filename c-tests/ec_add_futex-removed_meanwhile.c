/* A wake-up that comes while the source is removed is not lost: another waiter gets it. */
#include "check.h"
#include "futex.h"

#define ROUNDS 30

static uint32_t word;
static _Atomic pid_t waiter_id;
static _Atomic int waits, wakes, woken;

static void *waiter(void *argument)
{
    (void)argument;
    for (int round = 1; round <= ROUNDS; round++) {
        while (atomic_load(&waits) < round)
            sched_yield();
        atomic_store(&waiter_id, thread_id());
        CHECK(futex_wait(&word, 0) == 0);
        atomic_store(&waiter_id, 0);
        atomic_store(&woken, round);
    }
    return NULL;
}

static void *waker(void *argument)
{
    (void)argument;
    for (int round = 1; round <= ROUNDS; round++) {
        while (atomic_load(&wakes) < round)
            sched_yield();
        CHECK(futex_wake(&word, 1) == 1);
    }
    return NULL;
}

static void run(unsigned flags)
{
    ec_t ec = channel_new(flags);
    int source;
    atomic_store(&waits, 0);
    atomic_store(&wakes, 0);
    atomic_store(&woken, 0);
    pthread_t threads[] = { thread_start(waiter, NULL), thread_start(waker, NULL) };
    for (int round = 1; round <= ROUNDS; round++) {
        CHECK_SET(source, ec_add_futex(ec, &word, 0, 0, 1));
        atomic_store(&waits, round);
        wait_asleep(&waiter_id);
        atomic_store(&wakes, round);
        for (volatile int i = 0; i < round * 100; i++)
            ;
        CHECK_OK(ec_remove(ec, source));
        while (atomic_load(&woken) < round)
            sched_yield();
    }
    thread_end(threads[0]);
    thread_end(threads[1]);
    CHECK_OK(ec_destroy(ec));
}

int main(void)
{
    check_start();
    run(0);
    run(EC_SINGLE);
    return 0;
}
