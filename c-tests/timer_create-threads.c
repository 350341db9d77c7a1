/* Threads make, set and delete timers of one channel while others fetch: nothing is lost. */
#include "sigevent.h"

#define THREADS 4
#define ROUNDS 200

static ec_t ec;
static atomic_int told[THREADS];
static atomic_int ended;

static void *make(void *argument)
{
    intptr_t number = (intptr_t)argument;
    for (int i = 1; i <= ROUNDS; i++) {
        struct itimerspec soon = { { 0, 0 }, { 0, 1000 } }, rest;
        timer_t timer = timer_new(ec, (uintptr_t)number), idle = timer_new(ec, THREADS);
        CHECK_OK(timer_settime(timer, 0, &soon, NULL));
        CHECK_OK(timer_gettime(idle, &rest));
        while (atomic_load(&told[number]) < i)
            sched_yield();
        CHECK_OK(timer_delete(idle));
        CHECK_OK(timer_delete(timer));
    }
    return NULL;
}

static void *fetch(void *unused)
{
    struct timespec limit = milliseconds(5);
    while (!atomic_load(&ended)) {
        event_data_t event;
        if (ec_wait_events(ec, &event, 1, &limit, NULL) == -1) {
            CHECK(errno == ETIMEDOUT);
            continue;
        }
        CHECK(event.ev_type == EC_EV_TIMER && event.ev_cookie < THREADS && event.ev_result == 1);
        atomic_fetch_add(&told[event.ev_cookie], 1);
    }
    return unused;
}

int main(void)
{
    check_start();
    pthread_t maker[THREADS], fetcher[2];
    ec = channel_new(0);
    for (intptr_t i = 0; i < 2; i++)
        fetcher[i] = thread_start(fetch, NULL);
    for (intptr_t i = 0; i < THREADS; i++)
        maker[i] = thread_start(make, (void *)i);
    for (int i = 0; i < THREADS; i++)
        thread_end(maker[i]);
    atomic_store(&ended, 1);
    for (int i = 0; i < 2; i++)
        thread_end(fetcher[i]);
    check_no_event(ec, 5);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
