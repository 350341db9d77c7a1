/*
 * After ec_remove has returned, no thread that begins to fetch receives an event of that source,
 * whatever the fetching threads were doing meanwhile.
 */
#include "check.h"

#include <sys/eventfd.h>

#define FETCHERS 3
#define ROUNDS 300

static ec_t ec;
static _Atomic uint64_t removed;   /* sources up to this cookie are gone */
static _Atomic int stop;

static void *fetcher(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop)) {
        event_data_t event;
        struct timespec some = milliseconds(50);
        uint64_t gone = atomic_load(&removed);
        if (ec_wait_events(ec, &event, 1, &some, NULL) == -1) {
            CHECK(errno == ETIMEDOUT);
            continue;
        }
        CHECK(event.ev_type == EC_EV_FD);
        CHECK(event.ev_cookie > gone);
    }
    return NULL;
}

int main(void)
{
    check_start();
    pthread_t threads[FETCHERS];
    int fd = eventfd(1, EFD_CLOEXEC);
    CHECK(fd >= 0);
    ec = channel_new(0);
    for (int i = 0; i < FETCHERS; i++)
        threads[i] = thread_start(fetcher, NULL);
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        int source;
        CHECK_SET(source, ec_add_fd(ec, fd, POLLIN, i % 2 ? 0 : EC_EDGE, i));
        for (uint64_t spin = 0; spin < i % 8; spin++)
            sched_yield();
        CHECK_OK(ec_remove(ec, source));
        atomic_store(&removed, i);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < FETCHERS; i++)
        thread_end(threads[i]);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
