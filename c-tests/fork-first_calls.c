/*
 * fork while other threads make the library's first calls, when it finds out what there is: the
 * child does not wait for what a thread that it does not have was about to find.
 */
#include "check.h"

#define THREADS 3
#define PROCESSES 60

static pthread_barrier_t start;

static void first_calls(void)
{
    ec_t channel = channel_new(0);
    dma_mem_t area = area_new(4096);
    sem_t semaphore;
    CHECK_OK(sem_init(&semaphore, 0, 1));
    int source = ec_add_sem(channel, &semaphore, 0, 0);
    CHECK(source >= 0);
    CHECK_OK(ec_remove(channel, source));
    post_user(channel, 1);
    CHECK(event_wait(channel).ev_cookie == 1);
    CHECK_OK(dma_free(area, 4096));
    CHECK_OK(ec_destroy(channel));
}

static void *caller(void *argument)
{
    (void)argument;
    pthread_barrier_wait(&start);
    first_calls();
    return NULL;
}

/* A process that has made no call before. */
static void process(int number)
{
    pthread_t threads[THREADS];
    CHECK_OK(pthread_barrier_init(&start, NULL, THREADS + 1));
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(caller, NULL);
    pthread_barrier_wait(&start);
    usleep((useconds_t)number * 20);
    pid_t child = child_start();
    if (child == 0) {
        first_calls();
        _exit(0);
    }
    child_end(child);
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
}

int main(void)
{
    check_start();
    for (int i = 0; i < PROCESSES; i++) {
        pid_t child = child_start();
        if (child == 0) {
            process(i);
            _exit(0);
        }
        child_end(child);
    }
    return 0;
}
