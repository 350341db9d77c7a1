/*
 * Many threads wait at the same time, each for a request of its own, while others end: each
 * returns when its own has ended, and none is forgotten.
 */
#include "aio.h"

#define THREADS 12
#define TURNS 200

static int pipes[THREADS][2];
static _Atomic int left = THREADS;

static void *waiter(void *place)
{
    int number = *(int *)place;
    for (int turn = 0; turn < TURNS; turn++) {
        char byte = 0;
        struct aiocb block = aio_block(pipes[number][0], &byte, 1, 0);
        const struct aiocb *list[] = { &block };
        CHECK_OK(aio_read(&block));
        CHECK_OK(aio_suspend(list, 1, NULL));
        CHECK_IS(aio_error(&block), 0);
        CHECK_IS(aio_return(&block), 1);
        CHECK(byte == (char)turn);
    }
    atomic_fetch_sub(&left, 1);
    return NULL;
}

static void *feeder(void *nothing)
{
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < THREADS; i++)
            CHECK(write(pipes[(i * 5 + turn) % THREADS][1], &(char){ (char)turn }, 1) == 1);
    return nothing;
}

int main(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];

    check_start();
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(pipe2(pipes[i], O_CLOEXEC) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(waiter, &numbers[i]);
    thread_end(thread_start(feeder, NULL));
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
    CHECK(atomic_load(&left) == 0);
    return 0;
}
