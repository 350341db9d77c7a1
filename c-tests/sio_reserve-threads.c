/* 8 threads reserve, fill, compare and release in one area at the same time. */
#include "check.h"

#define THREADS 8
#define ROUNDS 3000

static dma_mem_t area;

static void *worker(void *argument)
{
    size_t number = *(size_t *)argument;
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t size = 1 + (i * 7919 + number * 104729) % 3000;
        void *block;
        if (sio_reserve(area, &block, size) == -1) {
            CHECK(errno == ENOBUFS);
            sched_yield();
            continue;
        }
        pattern_fill(block, size, number * 1000000 + i);
        if (i % 16 == 0)
            sched_yield();
        CHECK_PATTERN(block, size, number * 1000000 + i);
        CHECK_OK(sio_release(area, block, size));
    }
    return NULL;
}

int main(void)
{
    check_start();
    static size_t numbers[THREADS] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    pthread_t threads[THREADS];
    area = area_new(1 << 14);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(worker, &numbers[i]);
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
    CHECK_OK(dma_free(area, 1 << 14));
    return 0;
}
