/*
 * A channel is destroyed while threads wait on it in every way there is and others add and remove
 * sources; sometimes the process has forked before. Whoever lets go of it last frees it.
 */
#include "check.h"

#include <sys/eventfd.h>

#define ROUNDS 6
#define WAYS 6
#define CHURNERS 2

static ec_t ec;
static sem_t sem;
static uint32_t word;
static int ends[2], counter;

static void *wait_on(void *argument)
{
    int way = *(int *)argument;
    struct timespec limit = milliseconds(3);
    event_data_t events[2];
    sigset_t none;
    CHECK(sigemptyset(&none) == 0);
    for (;;) {
        int n;
        switch (way) {
        case 0: n = ec_wait_events(ec, events, 2, NULL, NULL); break;
        case 1: n = ec_wait_events(ec, events, 2, &limit, NULL); break;
        case 2: n = ec_wait_events(ec, events, 1, NULL, &none); break;
        case 3: n = ec_delay(ec, NULL) == 0 ? ec_next_event(ec, events) : -1; break;
        case 4: n = ec_delay(ec, &limit); sched_yield(); break;
        default: n = ec_next_events(ec, events, 2); sched_yield();
        }
        if (n == -1 && errno == EBADF)
            return NULL;
        CHECK(n >= 0 || errno == EAGAIN || errno == ETIMEDOUT);
    }
}

static int source_new(unsigned number)
{
    struct itimerspec often = { { 0, 100000 }, { 0, 100000 } };
    switch (number % 6) {
    case 0: return ec_add_fd(ec, ends[0], POLLIN, 0, 1);
    case 1: return ec_add_fd(ec, ends[0], POLLIN, EC_EDGE, 1);
    case 2: return ec_add_fd(ec, counter, POLLIN, EC_COUNTER, 1);
    case 3: return ec_add_sem(ec, &sem, 0, 1);
    case 4: return ec_add_futex(ec, &word, 0, 0, 1);
    default: return ec_add_timer(ec, CLOCK_MONOTONIC, &often, 0, 1);
    }
}

static void *churn(void *argument)
{
    event_data_t event = user_event(1);
    for (unsigned i = 0;; i++) {
        uint64_t one = 1;
        int source = source_new(i);
        /* Before Linux 5.16, and under valgrind, nothing may be able to wait on words. */
        if (source == -1 && errno == ENOSYS)
            continue;
        if (source == -1) {
            CHECK(errno == EBADF);
            return argument;
        }
        if (i % 3 == 0)
            CHECK(sem_post(&sem) == 0 && write(counter, &one, sizeof one) == sizeof one);
        if (i % 3 == 1)
            CHECK(write(ends[1], "x", 1) == 1 || errno == EAGAIN);
        if ((ec_post(ec, &event) == -1 && errno == EBADF) || ec_wake(ec, 1) == -1
            || ec_remove(ec, source) == -1) {
            CHECK(errno == EBADF);
            return argument;
        }
    }
}

static void fork_meanwhile(void)
{
    event_data_t event;
    pid_t child = child_start();
    if (child == 0) {
        CHECK_ERR(ec_next_event(ec, &event), EPERM);
        CHECK_ERR(ec_destroy(ec), EPERM);
        _exit(0);
    }
    child_end(child);
}

int main(void)
{
    pthread_t threads[WAYS + CHURNERS];
    int ways[WAYS];
    check_start();
    CHECK(sem_init(&sem, 0, 0) == 0 && pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    CHECK((counter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0);
    for (int round = 0; round < ROUNDS; round++) {
        ec = channel_new(0);
        for (int i = 0; i < WAYS; i++) {
            ways[i] = i;
            threads[i] = thread_start(wait_on, &ways[i]);
        }
        for (int i = WAYS; i < WAYS + CHURNERS; i++)
            threads[i] = thread_start(churn, NULL);
        if (round % 3 == 2)
            fork_meanwhile();
        sleep_ms(round);
        CHECK_OK(ec_destroy(ec));
        for (int i = 0; i < WAYS + CHURNERS; i++)
            thread_end(threads[i]);
    }
    return 0;
}
