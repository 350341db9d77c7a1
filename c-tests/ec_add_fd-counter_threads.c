/* Several threads write to many eventfds and several fetch: the values add up to what was written. */
#include "check.h"

#include <sys/eventfd.h>

#define COUNTERS 40
#define WRITERS 3
#define FETCHERS 3
#define ROUNDS 400
#define END UINT64_MAX

static ec_t ec;
static int fd[COUNTERS];
static _Atomic uint64_t told[COUNTERS];

static void *writer(void *argument)
{
    (void)argument;
    for (uint64_t i = 0; i < ROUNDS; i++)
        for (int j = 0; j < COUNTERS; j++) {
            uint64_t value = 1 + i % 5;
            CHECK(write(fd[j], &value, sizeof value) == sizeof value);
        }
    return NULL;
}

static void *fetcher(void *argument)
{
    (void)argument;
    for (;;) {
        event_data_t event = event_wait(ec);
        if (event.ev_cookie == END)
            return NULL;
        CHECK(event.ev_type == EC_EV_FD && event.ev_len >= 1);
        atomic_fetch_add(&told[event.ev_cookie], event.ev_len);
    }
}

int main(void)
{
    check_start();
    pthread_t writers[WRITERS], fetchers[FETCHERS];
    int source;
    ec = channel_new(0);
    for (int i = 0; i < COUNTERS; i++) {
        CHECK((fd[i] = eventfd(0, EFD_CLOEXEC)) >= 0);
        CHECK_SET(source, ec_add_fd(ec, fd[i], POLLIN, EC_COUNTER, (uint64_t)i));
    }
    for (int i = 0; i < FETCHERS; i++)
        fetchers[i] = thread_start(fetcher, NULL);
    for (int i = 0; i < WRITERS; i++)
        writers[i] = thread_start(writer, NULL);
    for (int i = 0; i < WRITERS; i++)
        thread_end(writers[i]);
    for (int i = 0; i < COUNTERS; i++)
        while (atomic_load(&told[i]) < WRITERS * ROUNDS * 3)
            sched_yield();
    for (int i = 0; i < FETCHERS; i++)
        post_user(ec, END);
    for (int i = 0; i < FETCHERS; i++)
        thread_end(fetchers[i]);
    for (int i = 0; i < COUNTERS; i++)
        CHECK(told[i] == WRITERS * ROUNDS * 3);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
