/*
 * Threads that have nothing to do with each other make channels with sources, use them and give them
 * up, and open and close files meanwhile: the numbers go from one to the other.
 */
#include "check.h"

#include <sys/eventfd.h>

#define THREADS 4
#define ROUNDS 40

static void with_sources(void)
{
    struct itimerspec soon = { { 0, 0 }, { 0, 1000 } };
    sigset_t set;
    int counter = eventfd(1, EFD_CLOEXEC), seen = 0;
    ec_t ec = channel_new(0);

    CHECK(counter >= 0);
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR1) == 0);
    CHECK(ec_add_fd(ec, counter, POLLIN, EC_ONESHOT, 1) >= 0);
    CHECK(ec_add_timer(ec, CLOCK_MONOTONIC, &soon, 0, 2) >= 0);
    CHECK(ec_add_signal(ec, &set, 0, 4) >= 0);
    while (seen != 3)
        seen |= (int)event_wait(ec).ev_cookie;
    CHECK_OK(ec_destroy(ec));
    CHECK(close(counter) == 0);
}

static void *work(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        int ends[2];
        CHECK(pipe2(ends, O_CLOEXEC) == 0);
        with_sources();
        CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
    }
    return argument;
}

int main(void)
{
    pthread_t threads[THREADS];

    check_start();
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    return 0;
}
