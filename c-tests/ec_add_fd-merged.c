/*
 * What a source has to tell several times is one event of a fetch: with room for all sources each
 * tells once, with less room nothing gets lost, and counters add up.
 */
#include "check.h"

#include <sys/eventfd.h>

enum { SOURCES = 20, WRITES = 3 };

static void write_to_all(ec_t ec, const int *fds)
{
    for (uint64_t round = 1; round <= WRITES; round++) {
        for (int i = 0; i < SOURCES; i++)
            CHECK(write(fds[i], &round, sizeof round) == sizeof round);
        CHECK(is_readable(ec, WAIT_MS) == 1);
    }
}

static void fetch(ec_t ec, unsigned flags, int room)
{
    event_data_t events[SOURCES];
    size_t sums[SOURCES] = { 0 };
    int n, told[SOURCES] = { 0 };

    while ((n = ec_next_events(ec, events, room)) > 0) {
        for (int i = 0; i < n; i++) {
            uint64_t cookie = events[i].ev_cookie;
            CHECK(cookie < SOURCES && events[i].ev_result == POLLIN && !events[i].ev_errno);
            for (int earlier = 0; earlier < i; earlier++)
                CHECK(events[earlier].ev_cookie != cookie);
            sums[cookie] += events[i].ev_len;
            told[cookie]++;
        }
    }
    CHECK(errno == EAGAIN);
    for (int i = 0; i < SOURCES; i++) {
        CHECK(told[i] >= 1 && told[i] <= (room < SOURCES ? WRITES : 1));
        CHECK(sums[i] == (flags & EC_COUNTER ? 1 + 2 + 3 : 0));
    }
}

int main(void)
{
    static const unsigned kinds[] = { EC_EDGE, EC_COUNTER }, channels[] = { 0, EC_SINGLE };
    check_start();
    for (int i = 0; i < 4; i++) {
        unsigned flags = kinds[i / 2];
        ec_t ec = channel_new(channels[i % 2]);
        int fds[SOURCES];
        for (int j = 0; j < SOURCES; j++) {
            fds[j] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
            CHECK(fds[j] >= 0);
            CHECK(ec_add_fd(ec, fds[j], POLLIN, flags, (uint64_t)j) >= 0);
        }
        for (int room = SOURCES; room > 0; room -= 6) {
            write_to_all(ec, fds);
            fetch(ec, flags, room);
        }
        CHECK_OK(ec_destroy(ec));
        for (int j = 0; j < SOURCES; j++)
            CHECK(close(fds[j]) == 0);
    }
    return 0;
}
