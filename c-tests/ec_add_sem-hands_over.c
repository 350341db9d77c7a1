/*
 * A semaphore as a source hands memory over as sem_wait does: what was written before sem_post is
 * there for whoever fetches the event, beside other sources and their events. The thread sanitizer
 * and valgrind see it so too (tests/sanitizers.rs).
 */
#include "check.h"

#include <semaphore.h>

#define UNITS 40
#define FETCHERS 3

static ec_t ec;
static sem_t units;
static int bell[2];
static unsigned long by_unit[UNITS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned taken, rung;

static void *giver(void *argument)
{
    (void)argument;
    for (unsigned long i = 0; i < UNITS; i++) {
        by_unit[i] = i + 1;
        CHECK(sem_post(&units) == 0);
        if (i % 4 == 0)
            CHECK(write(bell[1], "x", 1) == 1);
    }
    return NULL;
}

/* Returns whether this was the last one. */
static int take(const event_data_t *event)
{
    char byte;
    CHECK_THREAD(pthread_mutex_lock(&lock));
    if (event->ev_type == EC_EV_SEM) {
        CHECK(event->ev_ptr == &units);
        CHECK(by_unit[taken] == taken + 1);
        taken++;
    } else if (event->ev_type == EC_EV_FD) {
        if (read(bell[0], &byte, 1) == 1)   /* level-triggered: it may have been told twice */
            rung++;
    } else {
        CHECK(event->ev_type == EC_EV_TIMER);
    }
    int is_last = taken == UNITS && rung == UNITS / 4;
    CHECK_THREAD(pthread_mutex_unlock(&lock));
    return is_last;
}

static void *fetcher(void *argument)
{
    (void)argument;
    for (;;) {
        event_data_t event;
        CHECK_IS(ec_wait_events(ec, &event, 1, NULL, NULL), 1);
        if (event.ev_type == EC_EV_USER)
            return NULL;
        if (take(&event))
            for (int i = 0; i < FETCHERS; i++)
                post_user(ec, 0);
    }
}

int main(void)
{
    check_start();
    pthread_t fetchers[FETCHERS], thread;
    struct itimerspec often = { { 0, 3000000 }, { 0, 3000000 } };
    int timer, source;
    ec = channel_new(0);
    CHECK(sem_init(&units, 0, 0) == 0);
    CHECK(pipe(bell) == 0);
    set_nonblocking(bell[0], 1);
    source = ec_add_sem(ec, &units, 0, 0);
    if (source == -1 && (errno == ENOSYS || errno == EOPNOTSUPP))
        check_skip("no semaphores here: %s", strerror(errno));
    CHECK(source >= 0);
    CHECK_SET(source, ec_add_fd(ec, bell[0], POLLIN, 0, 0));
    CHECK_SET(timer, ec_add_timer(ec, CLOCK_MONOTONIC, &often, 0, 0));
    for (int i = 0; i < FETCHERS; i++)
        fetchers[i] = thread_start(fetcher, NULL);
    thread = thread_start(giver, NULL);
    thread_end(thread);
    for (int i = 0; i < FETCHERS; i++)
        thread_end(fetchers[i]);
    CHECK_OK(ec_remove(ec, timer));
    CHECK_OK(ec_destroy(ec));
    CHECK(sem_destroy(&units) == 0);
    CHECK(close(bell[0]) == 0 && close(bell[1]) == 0);
    return 0;
}
