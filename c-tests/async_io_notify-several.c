/* One descriptor, registered several times by several threads: each callback runs once, and each
 * thread is told. */
#include "check.h"

#define THREADS 4
#define EACH 3

static int ends[2];
static _Atomic int ready;

static void complete(int fd, void *context)
{
    CHECK(fd == ends[0]);
    atomic_fetch_add((_Atomic int *)context, 1);
}

static void *body(void *argument)
{
    _Atomic int runs[EACH];
    int sum = 0;
    (void)argument;
    for (int i = 0; i < EACH; i++) {
        atomic_init(&runs[i], 0);
        CHECK_OK(async_io_notify(ends[0], complete, (void *)&runs[i]));
    }
    atomic_fetch_add(&ready, 1);
    while (sum < EACH) {
        CHECK_ERR(pause(), EINTR);
        sum = 0;
        for (int i = 0; i < EACH; i++) {
            CHECK(atomic_load(&runs[i]) <= 1);
            sum += atomic_load(&runs[i]);
        }
    }
    sleep_ms(20);
    for (int i = 0; i < EACH; i++)
        CHECK(atomic_load(&runs[i]) == 1);
    return NULL;
}

int main(void)
{
    check_start();
    pthread_t threads[THREADS];
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(body, NULL);
    while (atomic_load(&ready) < THREADS)
        sleep_ms(1);
    CHECK(write(ends[1], "x", 1) == 1);
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
    return 0;
}
