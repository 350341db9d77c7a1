/* Real-time signals fetched by several threads, while others are sent: each exactly once. */
#include "check.h"
#include "signals.h"

#define FETCHERS 4
#define SIGNALS_SENT 4000
#define END UINT64_MAX

static ec_t ec;
static _Atomic unsigned char told[SIGNALS_SENT];
static _Atomic int total, ended;

static void *fetcher(void *argument)
{
    (void)argument;
    for (;;) {
        event_data_t events[4];
        int n;
        CHECK_SET(n, ec_wait_events(ec, events, 4, NULL, NULL));
        for (int i = 0; i < n; i++) {
            if (events[i].ev_cookie == END) {
                atomic_fetch_add(&ended, 1);
                return NULL;
            }
            union sigval value = { .sival_ptr = events[i].ev_ptr };
            CHECK(events[i].ev_type == EC_EV_SIGNAL && events[i].ev_fd == SIGRTMIN + 2);
            CHECK(atomic_fetch_add(&told[value.sival_int], 1) == 0);
            atomic_fetch_add(&total, 1);
        }
    }
}

int main(void)
{
    check_start();
    pthread_t threads[FETCHERS];
    int source;
    sigset_t set = SIGNALS(SIGRTMIN + 2);   /* before there are threads */
    ec = channel_new(0);
    CHECK_SET(source, ec_add_signal(ec, &set, 0, 1));
    for (int i = 0; i < FETCHERS; i++)
        threads[i] = thread_start(fetcher, NULL);
    for (int i = 0; i < SIGNALS_SENT; i++)
        while (sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = i }) == -1) {
            CHECK(errno == EAGAIN);   /* the limit on pending signals */
            sched_yield();
        }
    while (atomic_load(&total) < SIGNALS_SENT)
        sched_yield();
    /* A thread may fetch the ends of others together with its own: one after the other. */
    for (int i = 0; i < FETCHERS; i++) {
        post_user(ec, END);
        while (atomic_load(&ended) == i)
            sched_yield();
    }
    for (int i = 0; i < FETCHERS; i++)
        thread_end(threads[i]);
    CHECK(signal_take(&set) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
