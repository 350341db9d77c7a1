/*
 * A thread of real-time priority destroys a channel that another thread of the same processor is
 * just looking at: it lets that one end its look, instead of keeping it from it.
 */
#include "check.h"

#include <sched.h>
#include <sys/resource.h>

#define ROUNDS 400

static _Atomic int channel = -1, stop;

static void use_processor(int number)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(number, &one);
    CHECK_THREAD(pthread_setaffinity_np(pthread_self(), sizeof one, &one));
}

static void *looker(void *argument)
{
    use_processor(*(int *)argument);
    while (!atomic_load(&stop)) {
        event_data_t event;
        CHECK_ERR_IN(ec_next_event(atomic_load(&channel), &event), EAGAIN, EBADF);
    }
    return NULL;
}

static double processor_seconds(void)
{
    struct rusage usage;
    CHECK_OK(getrusage(RUSAGE_THREAD, &usage));
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(void)
{
    check_start();
    struct sched_param priority = {.sched_priority = 1};
    int processor = sched_getcpu();
    pthread_t thread = thread_start(looker, &processor);
    use_processor(processor);
    if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority) != 0) {
        atomic_store(&stop, 1);
        thread_end(thread);
        check_skip("no priority of real time to be had");
    }
    double before = processor_seconds();
    for (int i = 0; i < ROUNDS; i++) {
        ec_t own = channel_new(0);
        atomic_store(&channel, own);
        usleep((useconds_t)(300 + i));
        CHECK_OK(ec_destroy(own));
    }
    /* The kernel stops who takes all of a processor, but only after most of a second. */
    CHECK(processor_seconds() - before < 0.8);
    atomic_store(&stop, 1);
    priority.sched_priority = 0;
    CHECK_THREAD(pthread_setschedparam(pthread_self(), SCHED_OTHER, &priority));
    thread_end(thread);
    return 0;
}
