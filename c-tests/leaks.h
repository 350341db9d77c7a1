/* What the process has open and mapped. */
#ifndef LEAKS_H
#define LEAKS_H

#include "check.h"

static inline int count_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static inline int count_mappings(void)
{
    int count = 0, c;
    FILE *file = fopen("/proc/self/maps", "re");
    CHECK(file != NULL);
    while ((c = getc(file)) != EOF)
        count += c == '\n';
    fclose(file);
    return count;
}

/* The size of all mappings, in bytes. */
static inline long mapped_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    CHECK(file != NULL && fscanf(file, "%ld", &pages) == 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

#define CYCLES 50

/*
 * Runs a body again and again: descriptors and mappings have to return to where they were.
 * The first rounds do not count: caches fill and lazy things are made. A body that loses one
 * mapping or `bytes` of memory per round is found: it does so in every series of rounds, while
 * a heap or a stack that grows by a step does so in one.
 */
static inline void check_no_leak(void (*body)(void), long bytes)
{
    for (int i = 0; i < 5; i++)
        body();
    int descriptors = count_descriptors();
    int more_mappings = 0;
    long more_bytes = 0;
    for (int series = 0; series < 3; series++) {
        int mappings = count_mappings();
        long size = mapped_bytes();
        for (int i = 0; i < CYCLES; i++)
            body();
        CHECK(count_descriptors() == descriptors);
        more_mappings = count_mappings() - mappings;
        more_bytes = mapped_bytes() - size;
        if (more_mappings < CYCLES / 2 && more_bytes < bytes * CYCLES / 2)
            return;
    }
    CHECK(more_mappings < CYCLES / 2);
    CHECK(more_bytes < bytes * CYCLES / 2);
}

#endif
