/* Counts what is allocated, by whomever in this process: malloc(3) and its like are ours, and ask
 * the C library's. */
#ifndef ALLOCATIONS_H
#define ALLOCATIONS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

static atomic_long allocations;

#ifdef __GLIBC__
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_realloc(memory, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return (*memory = __libc_memalign(alignment, size)) == NULL ? ENOMEM : 0;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_memalign(alignment, size);
}
#else
#define NO_COUNTING "the C library's malloc has no second name"
#endif

enum { WARM_ROUNDS = 300, COUNTED_ROUNDS = 1000 };

/* Does something until all that grows has grown, and then counts: how much is allocated in a
 * thousand rounds. A table that grows once more is allowed for by the caller's limit. */
static inline void count_allocations(const char *what, void (*round)(size_t at), long most)
{
#ifdef NO_COUNTING
    (void)most;
    check_skip("%s: %s", what, NO_COUNTING);
#endif
    for (size_t at = 0; at < WARM_ROUNDS; at++)
        round(at);
    const long before = atomic_load(&allocations);
    for (size_t at = 0; at < COUNTED_ROUNDS; at++)
        round(at);
    const long counted = atomic_load(&allocations) - before;
    if (counted > most)
        check_fail(__FILE__, __LINE__, "%s: %ld allocations in %d rounds, and %ld are allowed",
                   what, counted, (int)COUNTED_ROUNDS, most);
}

#endif
