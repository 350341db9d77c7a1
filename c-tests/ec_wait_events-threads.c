/*
 * 8 threads fetch from one channel what two threads post: each of 100000 events is delivered
 * exactly once, and no thread sees the events of one poster in another order.
 */
#include "check.h"

#define EVENTS 100000
#define POSTERS 2
#define FETCHERS 8
#define END UINT64_MAX

static ec_t ec;
static _Atomic unsigned char seen[EVENTS];

static void post_patiently(uint64_t cookie)
{
    event_data_t event = user_event(cookie);
    while (ec_post(ec, &event) == -1) {
        CHECK(errno == EAGAIN);
        sched_yield();
    }
}

static void *poster(void *argument)
{
    for (uint64_t i = *(unsigned *)argument; i < EVENTS; i += POSTERS)
        post_patiently(i);
    return NULL;
}

static int fetch(unsigned style, event_data_t *events)
{
    int n;
    switch (style % 3) {
    case 0:
        CHECK_SET(n, ec_wait_events(ec, events, 16, NULL, NULL));
        return n;
    case 1:
        CHECK_IS(ec_wait_events(ec, events, 1, NULL, NULL), 1);
        return 1;
    default:
        CHECK_OK(ec_delay(ec, NULL));
        if (ec_next_event(ec, events) == 0)
            return 1;
        CHECK(errno == EAGAIN);
        return 0;
    }
}

static void *fetcher(void *argument)
{
    event_data_t events[16];
    uint64_t last[POSTERS] = { 0 };
    unsigned ends = 0;
    while (ends == 0) {
        int n = fetch(*(unsigned *)argument, events);
        for (int i = 0; i < n; i++) {
            uint64_t cookie = events[i].ev_cookie;
            if (cookie == END) {
                ends++;
                continue;
            }
            CHECK(cookie < EVENTS);
            CHECK(atomic_fetch_add(&seen[cookie], 1) == 0);
            CHECK(last[cookie % POSTERS] <= cookie);
            last[cookie % POSTERS] = cookie;
        }
    }
    for (; ends > 1; ends--)
        post_patiently(END);
    return NULL;
}

int main(void)
{
    check_start();
    static unsigned number[FETCHERS] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    pthread_t posters[POSTERS], fetchers[FETCHERS];
    ec = channel_new(0);
    for (int i = 0; i < FETCHERS; i++)
        fetchers[i] = thread_start(fetcher, &number[i]);
    for (int i = 0; i < POSTERS; i++)
        posters[i] = thread_start(poster, &number[i]);
    for (int i = 0; i < POSTERS; i++)
        thread_end(posters[i]);
    for (int i = 0; i < FETCHERS; i++)
        post_patiently(END);
    for (int i = 0; i < FETCHERS; i++)
        thread_end(fetchers[i]);
    for (int i = 0; i < EVENTS; i++)
        CHECK(seen[i] == 1);
    event_data_t event;
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
