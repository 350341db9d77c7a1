/* Waking and posting at the same time: a thread woken without an event has taken none with it. */
#include "check.h"

#define EVENTS 5000

static ec_t ec;
static _Atomic int stop;

static void *waker(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop)) {
        CHECK_OK(ec_wake(ec, 1));
        sched_yield();
    }
    return NULL;
}

static void *poster(void *argument)
{
    (void)argument;
    for (uint64_t i = 0; i < EVENTS; i++) {
        event_data_t event = user_event(i);
        while (ec_post(ec, &event) == -1) {
            CHECK(errno == EAGAIN);
            sched_yield();
        }
    }
    return NULL;
}

int main(void)
{
    check_start();
    ec = channel_new(EC_CAPACITY(4));
    pthread_t wakes = thread_start(waker, NULL);
    pthread_t posts = thread_start(poster, NULL);
    for (uint64_t i = 0; i < EVENTS;) {
        event_data_t event;
        int n;
        CHECK_SET(n, ec_wait_events(ec, &event, 1, NULL, NULL));
        if (n == 1)
            CHECK(event.ev_cookie == i++);
    }
    atomic_store(&stop, 1);
    thread_end(posts);
    thread_end(wakes);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
