/*
 * Several sources in two channels, threads in sem_wait, and a source that comes and goes compete
 * for the units that two threads post: each unit is taken exactly once, and none is left.
 */
#include "check.h"

#define UNITS 6000
#define POSTERS 2
#define FETCHERS 2
#define WAITERS 2
#define CHANNELS 2
#define SOURCES 3   /* in each channel */
#define END UINT64_MAX

static sem_t sem;
static ec_t ec[CHANNELS];
static _Atomic int taken, is_over;

static void *poster(void *argument)
{
    (void)argument;
    for (int i = 0; i < UNITS / POSTERS; i++) {
        CHECK(sem_post(&sem) == 0);
        if (i % 16 == 0)
            sched_yield();
    }
    return NULL;
}

static void *waiter(void *argument)
{
    (void)argument;
    for (;;) {
        CHECK(sem_wait(&sem) == 0);
        if (atomic_load(&is_over))
            return NULL;
        atomic_fetch_add(&taken, 1);
    }
}

static void *fetcher(void *argument)
{
    ec_t channel = *(ec_t *)argument;
    for (;;) {
        event_data_t event = event_wait(channel);
        if (event.ev_cookie == END)
            return NULL;
        CHECK(event.ev_type == EC_EV_SEM && event.ev_ptr == &sem && event.ev_result == 0);
        atomic_fetch_add(&taken, 1);
    }
}

static void *restless(void *argument)
{
    ec_t channel = channel_new(0);
    event_data_t event;
    (void)argument;
    while (!atomic_load(&is_over)) {
        int source;
        CHECK_SET(source, ec_add_sem(channel, &sem, 0, 1));
        sched_yield();
        if (ec_next_event(channel, &event) == 0)
            atomic_fetch_add(&taken, 1);
        CHECK_OK(ec_remove(channel, source));
    }
    CHECK_OK(ec_destroy(channel));
    return NULL;
}

int main(void)
{
    check_start();
    pthread_t posters[POSTERS], fetchers[CHANNELS][FETCHERS], waiters[WAITERS];
    int source[CHANNELS][SOURCES];
    CHECK(sem_init(&sem, 0, 0) == 0);
    for (int i = 0; i < CHANNELS; i++) {
        ec[i] = channel_new(0);
        for (int j = 0; j < SOURCES; j++)
            CHECK_SET(source[i][j], ec_add_sem(ec[i], &sem, 0, 1));
        for (int j = 0; j < FETCHERS; j++)
            fetchers[i][j] = thread_start(fetcher, &ec[i]);
    }
    for (int i = 0; i < WAITERS; i++)
        waiters[i] = thread_start(waiter, NULL);
    pthread_t other = thread_start(restless, NULL);
    for (int i = 0; i < POSTERS; i++)
        posters[i] = thread_start(poster, NULL);
    for (int i = 0; i < POSTERS; i++)
        thread_end(posters[i]);
    while (atomic_load(&taken) < UNITS)
        sched_yield();
    CHECK(sem_trywait(&sem) == -1 && errno == EAGAIN);
    atomic_store(&is_over, 1);
    thread_end(other);
    for (int i = 0; i < CHANNELS; i++) {
        for (int j = 0; j < SOURCES; j++)
            CHECK_OK(ec_remove(ec[i], source[i][j]));
        for (int j = 0; j < FETCHERS; j++)
            post_user(ec[i], END);
        for (int j = 0; j < FETCHERS; j++)
            thread_end(fetchers[i][j]);
        CHECK_OK(ec_destroy(ec[i]));
    }
    for (int i = 0; i < WAITERS; i++)
        CHECK(sem_post(&sem) == 0);
    for (int i = 0; i < WAITERS; i++)
        thread_end(waiters[i]);
    CHECK(taken == UNITS);
    CHECK(sem_trywait(&sem) == -1 && errno == EAGAIN);
    CHECK(sem_destroy(&sem) == 0);
    return 0;
}
