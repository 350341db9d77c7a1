/* The calls of futex(2), which the C library does not have. */
#ifndef FUTEX_H
#define FUTEX_H

#include "check.h"

#include <linux/futex.h>

/* 0 when woken, -1 and EAGAIN when the word is not what is expected. */
static inline int futex_wait(uint32_t *word, uint32_t expected)
{
    return (int)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

/* How many were woken. */
static inline int futex_wake(uint32_t *word, int count)
{
    return (int)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static inline int futex_wake_shared(uint32_t *word, int count)
{
    return (int)syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

static inline uint32_t word_get(uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void word_set(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

#endif
