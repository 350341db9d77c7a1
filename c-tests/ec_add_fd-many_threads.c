/*
 * Many descriptors in one channel and several threads that wait, one of them with a signal mask of
 * its own, one that is cancelled again and again: each write is told once, and none is lost.
 */
#include "check.h"

#include <sys/eventfd.h>

#define SOURCES 40
#define ROUNDS 60
#define THREADS 3

static int fd[SOURCES];
static ec_t ec;
static _Atomic int told[SOURCES], stop;

static void *fetcher(void *argument)
{
    sigset_t none;
    sigemptyset(&none);
    while (!atomic_load(&stop)) {
        event_data_t events[4];
        struct timespec some = milliseconds(5);
        int count = ec_wait_events(ec, events, 4, &some, argument ? &none : NULL);
        CHECK(count > 0 || (count == -1 && errno == ETIMEDOUT));
        for (int i = 0; i < count; i++)
            atomic_fetch_add(&told[events[i].ev_cookie], 1);
    }
    return NULL;
}

/* Cancelled, it has fetched what it has told, and nothing else. */
static void *cancelled(void *argument)
{
    (void)argument;
    for (;;) {
        event_data_t event;
        int count = ec_wait_events(ec, &event, 1, NULL, NULL);
        CHECK(count == 1);
        atomic_fetch_add(&told[event.ev_cookie], 1);
    }
    return NULL;
}

int main(void)
{
    check_start();
    pthread_t threads[THREADS];
    ec = channel_new(0);
    for (int i = 0; i < SOURCES; i++) {
        CHECK((fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0);
        int source;
        CHECK_SET(source, ec_add_fd(ec, fd[i], POLLIN, i % 2 ? EC_EDGE : EC_COUNTER, (uint64_t)i));
    }
    for (long i = 0; i < THREADS; i++)
        threads[i] = thread_start(fetcher, i == 0 ? &ec : NULL);
    for (int round = 1; round <= ROUNDS; round++) {
        pthread_t victim = thread_start(cancelled, NULL);
        uint64_t one = 1;
        for (int i = 0; i < SOURCES; i++)
            CHECK(write(fd[i], &one, sizeof one) == sizeof one);
        if (round % 2)
            sched_yield();
        CHECK_THREAD(pthread_cancel(victim));
        CHECK(thread_end(victim) == PTHREAD_CANCELED);
        for (int i = 0; i < SOURCES; i++)
            while (atomic_load(&told[i]) < round)
                sched_yield();
    }
    check_no_event(ec, 5);
    for (int i = 0; i < SOURCES; i++)
        CHECK(atomic_load(&told[i]) == ROUNDS);
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
