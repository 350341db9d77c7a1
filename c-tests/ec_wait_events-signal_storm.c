/*
 * A signal every 100 microseconds, with a handler that lets calls be restarted or not: whoever
 * waits for events gets them all, once each, and of errors EINTR alone.
 */
#include "check.h"

#include <semaphore.h>
#include <sys/eventfd.h>

#define EVENTS 1500

static ec_t ec;
static int counter;
static sem_t units;
static _Atomic int fetched;

static void *producer(void *argument)
{
    uint64_t one = 1;
    (void)argument;
    for (int i = 0; i < EVENTS; i++) {
        post_user(ec, (uint64_t)i);
        CHECK(write(counter, &one, sizeof one) == sizeof one);
        CHECK(sem_post(&units) == 0);
        if (i % 3 == 0)
            usleep(50);
        /* Not so many that the channel is full. */
        while (i - atomic_load(&fetched) > 1000)
            usleep(50);
    }
    return NULL;
}

static int wait_somehow(int style, event_data_t *events)
{
    struct timespec limit = milliseconds(WAIT_MS);
    sigset_t mask;
    sigemptyset(&mask);
    switch (style % 4) {
    case 0:
        return ec_wait_events(ec, events, 8, NULL, NULL);
    case 1:
        return ec_wait_events(ec, events, 1, &limit, NULL);
    case 2:
        return ec_wait_events(ec, events, 8, &limit, &mask);
    default:
        return ec_delay(ec, style % 8 == 3 ? NULL : &limit) == 0 ? ec_next_events(ec, events, 8)
                                                                 : -1;
    }
}

static void run(int flags)
{
    event_data_t events[8];
    long posted = 0, counted = 0, taken = 0, interrupted = 0;
    timer_t timer = storm_start(flags);
    atomic_store(&fetched, 0);
    pthread_t thread = thread_start_sheltered(producer, NULL);
    for (int style = 0; posted < EVENTS || counted < EVENTS || taken < EVENTS; style++) {
        int n = wait_somehow(style, events);
        if (n == -1) {
            CHECK(errno == EINTR);
            interrupted++;
            continue;
        }
        for (int i = 0; i < n; i++) {
            CHECK(events[i].ev_errno == 0);
            switch (events[i].ev_type) {
            case EC_EV_USER:
                CHECK(events[i].ev_cookie == (uint64_t)posted);
                atomic_store(&fetched, (int)++posted);
                break;
            case EC_EV_FD:
                counted += (long)events[i].ev_len;
                break;
            default:
                CHECK(events[i].ev_type == EC_EV_SEM);
                taken++;
            }
        }
    }
    thread_end(thread);
    CHECK(posted == EVENTS && counted == EVENTS && taken == EVENTS);
    CHECK_ERR(ec_next_events(ec, events, 8), EAGAIN);
    /* Nothing to be had, and signals until the waiting is over by itself. */
    for (int i = 0; i < 50; i++) {
        struct timespec limit = { 0, 300000 };
        int n = i % 2 ? ec_delay(ec, &limit) : ec_wait_events(ec, events, 8, &limit, NULL);
        CHECK(n == -1 && (errno == EINTR || errno == ETIMEDOUT));
        interrupted += errno == EINTR;
    }
    CHECK(timer_delete(timer) == 0);
    CHECK(interrupted > 0);
}

int main(void)
{
    check_start();
    ec = channel_new(0);
    CHECK((counter = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) >= 0);
    CHECK(sem_init(&units, 0, 0) == 0);
    CHECK(ec_add_fd(ec, counter, POLLIN, EC_COUNTER, 0) >= 0);
    CHECK(ec_add_sem(ec, &units, 0, 0) >= 0);
    run(0);
    run(SA_RESTART);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
