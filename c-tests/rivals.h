/* Threads that do at once, in rounds, what can be done once. */
#ifndef RIVALS_H
#define RIVALS_H

#include "check.h"

enum { RIVALS = 4 };

static pthread_barrier_t rivals_barrier;
static int rivals_rounds;
static int (*rivals_deed)(void);
static _Atomic int rivals_done;

static inline void *rival(void *argument)
{
    for (int i = 0; i < rivals_rounds; i++) {
        pthread_barrier_wait(&rivals_barrier);
        if (rivals_deed() == 0)
            atomic_fetch_add(&rivals_done, 1);
        else
            CHECK(errno == EINVAL);
        pthread_barrier_wait(&rivals_barrier);
    }
    return argument;
}

/* In each round one of them succeeds, and the others are told EINVAL. */
static inline void thread_rivals(int rounds, void (*prepare)(int round), int (*deed)(void))
{
    pthread_t threads[RIVALS];
    rivals_rounds = rounds;
    rivals_deed = deed;
    CHECK_THREAD(pthread_barrier_init(&rivals_barrier, NULL, RIVALS + 1));
    for (int i = 0; i < RIVALS; i++)
        threads[i] = thread_start(rival, NULL);
    for (int i = 0; i < rounds; i++) {
        prepare(i);
        pthread_barrier_wait(&rivals_barrier);
        pthread_barrier_wait(&rivals_barrier);
        CHECK(atomic_load(&rivals_done) == i + 1);
    }
    for (int i = 0; i < RIVALS; i++)
        thread_end(threads[i]);
}

#endif
