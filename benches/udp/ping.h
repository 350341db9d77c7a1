/* ping.h: what the programs have in common that ask and wait for the answer, one question at a time.
 * They are started as
 *
 *     PROGRAM ADDRESS PORT MODE
 *
 * where MODE is "blocking" or "spinning", and print the median and the 99th percentile of the round
 * trips, in nanoseconds. */
#include "udp.h"

enum { ROUNDS_FIRST = 2000, ROUNDS = 20000, PING_BYTES = 64 };

static inline uint64_t nanoseconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static inline int compare(const void *left, const void *right)
{
    uint64_t one = *(const uint64_t *)left, other = *(const uint64_t *)right;

    return (one > other) - (one < other);
}

/* Calls once(), which does one round trip, until there is something to tell. */
static inline void measure(void (*once)(void *), void *context)
{
    static uint64_t taken[ROUNDS];

    for (int i = 0; i < ROUNDS_FIRST; i++)
        once(context);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t begin = nanoseconds();
        once(context);
        taken[i] = nanoseconds() - begin;
    }
    qsort(taken, ROUNDS, sizeof taken[0], compare);
    printf("%llu %llu\n", (unsigned long long)taken[ROUNDS / 2],
           (unsigned long long)taken[ROUNDS * 99 / 100]);
}
