/*
 * Counters that another thread writes to again and again: a source tells once in a fetch,
 * whatever came while it was going on, and nothing that was written is lost.
 */
#include "check.h"

#include <sys/eventfd.h>

enum { SOURCES = 2, BURSTS = 4000, BURST = 50, WRITES = BURSTS * BURST, ROOM = 8 };

static int fds[SOURCES];

static void *writer(void *argument)
{
    uint64_t one = 1;
    (void)argument;
    for (int i = 0; i < WRITES; i++) {
        for (int j = 0; j < SOURCES; j++)
            CHECK(write(fds[j], &one, sizeof one) == sizeof one);
        if (i % BURST == BURST - 1)
            usleep(20); /* the other one falls asleep, and is woken in the middle of a burst */
    }
    return NULL;
}

int main(void)
{
    check_start();
    ec_t ec = channel_new(EC_SINGLE);
    size_t sum = 0;
    for (int i = 0; i < SOURCES; i++) {
        fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        CHECK(fds[i] >= 0);
        CHECK(ec_add_fd(ec, fds[i], POLLIN, EC_COUNTER, (uint64_t)i) >= 0);
    }
    pthread_t thread = thread_start(writer, NULL);
    while (sum < (size_t)SOURCES * WRITES) {
        event_data_t events[ROOM];
        int told[SOURCES] = { 0 };
        int n = ec_wait_events(ec, events, ROOM, NULL, NULL);
        CHECK(n > 0);
        for (int i = 0; i < n; i++) {
            uint64_t cookie = events[i].ev_cookie;
            CHECK(cookie < SOURCES && events[i].ev_result == POLLIN && !events[i].ev_errno);
            CHECK(events[i].ev_fd == fds[cookie] && events[i].ev_len > 0 && !told[cookie]);
            told[cookie] = 1;
            sum += events[i].ev_len;
        }
    }
    CHECK(sum == (size_t)SOURCES * WRITES);
    thread_end(thread);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
