/* Of threads that free the same area at once one does, and no other area is touched by that. */
#include "check.h"

#define THREADS 3
#define ROUNDS 3000

static pthread_barrier_t start, end;
static dma_mem_t area;
static _Atomic int freed;

static void *worker(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&start);
        if (dma_free(area, 4096) == 0) {
            atomic_fetch_add(&freed, 1);
            /* Takes the place of the one that is gone. */
            dma_mem_t other = area_new(8192);
            void *block = block_new(other, 10);
            CHECK_OK(sio_release(other, block, 10));
            CHECK_OK(dma_free(other, 8192));
        } else {
            CHECK(errno == EINVAL);
        }
        pthread_barrier_wait(&end);
    }
    return NULL;
}

int main(void)
{
    check_start();
    pthread_t threads[THREADS];
    CHECK_THREAD(pthread_barrier_init(&start, NULL, THREADS + 1));
    CHECK_THREAD(pthread_barrier_init(&end, NULL, THREADS + 1));
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(worker, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        area = area_new(4096);
        atomic_store(&freed, 0);
        pthread_barrier_wait(&start);
        pthread_barrier_wait(&end);
        CHECK(atomic_load(&freed) == 1);
    }
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
    return 0;
}
