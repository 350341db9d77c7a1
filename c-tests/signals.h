/* Signals that a test takes and does not handle: sigwaitinfo(2). */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "check.h"

/* A set of these signals, ended by 0, which are blocked from now on. */
static inline sigset_t signals_block(const int *numbers)
{
    sigset_t set;
    CHECK(sigemptyset(&set) == 0);
    for (; *numbers != 0; numbers++)
        CHECK(sigaddset(&set, *numbers) == 0);
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, &set, NULL));
    return set;
}

#define SIGNALS(...) signals_block((const int[]){ __VA_ARGS__, 0 })

static inline void signal_send(int number, int value)
{
    CHECK(sigqueue(getpid(), number, (union sigval){ .sival_int = value }) == 0);
}

/* The number of a pending signal of the set, which is taken; 0: there is none. */
static inline int signal_take(const sigset_t *set)
{
    int number = sigtimedwait(set, NULL, &(struct timespec){ 0, 0 });
    CHECK(number > 0 || errno == EAGAIN);
    return number > 0 ? number : 0;
}

#endif
