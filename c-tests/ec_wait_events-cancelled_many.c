/*
 * Threads that wait for many descriptors of one channel are cancelled while those are written to: what
 * was written is told once each, by whichever thread is left.
 */
#include "check.h"

#include <sys/eventfd.h>

enum { DESCRIPTORS = 40, ROUNDS = 1000, BATCH = 4 };

static ec_t ec;
static int descriptors[DESCRIPTORS];
static _Atomic int told[DESCRIPTORS];

static void *waiter(void *argument)
{
    event_data_t events[BATCH];

    (void)argument;
    for (;;) {
        int count = ec_wait_events(ec, events, BATCH, NULL, NULL);
        CHECK(count > 0);
        /* No cancellation point is in here. */
        for (int i = 0; i < count; i++)
            atomic_fetch_add(&told[events[i].ev_cookie], 1);
    }
    return NULL;
}

int main(void)
{
    uint64_t one = 1;
    event_data_t event;

    check_start();
    ec = channel_new(0);
    for (int i = 0; i < DESCRIPTORS; i++) {
        CHECK((descriptors[i] = eventfd(0, 0)) >= 0);
        CHECK(ec_add_fd(ec, descriptors[i], POLLIN, EC_EDGE, (uint64_t)i) >= 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        /* Mostly it sleeps by then. */
        struct timespec moment = { 0, 100000 + round % 50 * 2000 };
        pthread_t thread = thread_start(waiter, NULL);
        nanosleep(&moment, NULL);
        int first = round % DESCRIPTORS, second = (round + 20) % DESCRIPTORS;
        CHECK(write(descriptors[first], &one, sizeof one) == sizeof one);
        if (round % 3 == 0)
            sched_yield();
        CHECK_THREAD(pthread_cancel(thread));
        CHECK(write(descriptors[second], &one, sizeof one) == sizeof one);
        thread_end(thread);
        while (ec_next_event(ec, &event) == 0)
            atomic_fetch_add(&told[event.ev_cookie], 1);
        CHECK(errno == EAGAIN);
        for (int i = 0; i < DESCRIPTORS; i++) {
            int is_written = i == first || i == second;
            if (atomic_exchange(&told[i], 0) != is_written)
                check_fail(__FILE__, __LINE__, "round %d: descriptor %d", round, i);
        }
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
