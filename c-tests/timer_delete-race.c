/* Of several threads that delete a timer one succeeds; the others get EINVAL. */
#include "sigevent.h"

#define THREADS 4
#define ROUNDS 300

static ec_t ec;
static timer_t timer;
static pthread_barrier_t barrier;
static atomic_int deleted;

static void *run(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&barrier);
        if (timer_delete(timer) == 0)
            atomic_fetch_add(&deleted, 1);
        else
            CHECK(errno == EINVAL);
        pthread_barrier_wait(&barrier);
    }
    return unused;
}

int main(void)
{
    check_start();
    pthread_t thread[THREADS];
    ec = channel_new(0);
    CHECK_THREAD(pthread_barrier_init(&barrier, NULL, THREADS + 1));
    for (int i = 0; i < THREADS; i++)
        thread[i] = thread_start(run, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        timer = timer_new(ec, 1);
        timer_arm(timer, 1, 1);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        CHECK(atomic_load(&deleted) == i + 1);
    }
    for (int i = 0; i < THREADS; i++)
        thread_end(thread[i]);
    check_no_event(ec, 10);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
