/*
 * Many descriptors in one channel, in every way: each is told of as it was asked for, the channel is
 * readable exactly while something is to be told, and nothing comes after ec_remove.
 */
#include "check.h"

#include <sys/eventfd.h>

#define SOURCES 48

enum way { LEVEL, EDGE, ONESHOT, COUNTER, WAYS };

static const unsigned flags[WAYS] = { 0, EC_EDGE, EC_ONESHOT, EC_COUNTER };
static int fd[SOURCES], source[SOURCES];
static ec_t ec;

static int is_ready(void)
{
    struct pollfd polled = { .fd = ec, .events = POLLIN };
    CHECK(poll(&polled, 1, 0) >= 0);
    return polled.revents == POLLIN;
}

static void write_one(int to)
{
    uint64_t one = 1;
    CHECK(write(to, &one, sizeof one) == sizeof one);
}

static void read_all(int from)
{
    uint64_t value;
    CHECK(read(from, &value, sizeof value) == sizeof value || errno == EAGAIN);
}

/* Each of these has been written to and is told once, `room` at a time. */
static void fetch_once(int first, int step, int room)
{
    event_data_t events[SOURCES];
    int seen[SOURCES] = { 0 };

    for (int i = first; i < SOURCES; i += step)
        write_one(fd[i]);
    CHECK(is_ready());
    for (int left = (SOURCES - first + step - 1) / step; left > 0;) {
        struct timespec limit = milliseconds(WAIT_MS);
        int count;
        CHECK_SET(count, ec_wait_events(ec, events, (size_t)room, &limit, NULL));
        CHECK(count > 0 && count <= room && count <= left);
        left -= count;
        for (int i = 0; i < count; i++) {
            uint64_t at = events[i].ev_cookie;
            CHECK(at < SOURCES && (int)at % step == first % step && seen[at]++ == 0);
            CHECK(events[i].ev_fd == fd[at] && events[i].ev_source == source[at]);
            CHECK(at % WAYS != COUNTER || events[i].ev_len == 1);
            read_all(fd[at]);
        }
    }
    CHECK(!is_ready());
    check_no_event(ec, 1);
}

static void add(int at, enum way way)
{
    CHECK_SET(source[at], ec_add_fd(ec, fd[at], POLLIN, flags[way], (uint64_t)at));
}

int main(void)
{
    check_start();
    ec = channel_new(0);
    for (int i = 0; i < SOURCES; i++) {
        CHECK((fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0);
        add(i, (enum way)(i % WAYS));
    }
    fetch_once(0, 1, SOURCES);
    /* Single events are not told again before they are armed. */
    for (int i = ONESHOT; i < SOURCES; i += WAYS)
        write_one(fd[i]);
    check_no_event(ec, 1);
    for (int i = ONESHOT; i < SOURCES; i += WAYS) {
        read_all(fd[i]);
        CHECK_OK(ec_modify(ec, source[i], POLLIN, EC_ONESHOT));
    }
    fetch_once(0, 1, 1);
    for (int i = ONESHOT; i < SOURCES; i += WAYS)
        CHECK_OK(ec_modify(ec, source[i], POLLIN, EC_ONESHOT));
    fetch_once(0, 1, 7);

    /* Other terms: what was single is a state from now on. */
    for (int i = ONESHOT; i < SOURCES; i += WAYS)
        CHECK_OK(ec_modify(ec, source[i], POLLIN, 0));
    fetch_once(ONESHOT, WAYS, 2);

    /* The last descriptor once more, and something of another kind. */
    struct itimerspec soon = { .it_value = milliseconds(1) };
    int again, timer, last = SOURCES - 1 - (SOURCES - 1) % WAYS;
    CHECK_SET(again, ec_add_fd(ec, fd[last], POLLIN, EC_EDGE, 1000));
    CHECK_SET(timer, ec_add_timer(ec, CLOCK_MONOTONIC, &soon, 0, 1001));
    write_one(fd[last]);
    for (int told = 0; told != 7;) {
        event_data_t event = event_wait(ec);
        int bit = event.ev_source == again ? 1 : event.ev_source == timer ? 2 : 4;
        CHECK(bit != 4 || event.ev_source == source[last]);
        CHECK(bit == 4 || !(told & bit));
        told |= bit;
    }
    read_all(fd[last]);
    CHECK_OK(ec_remove(ec, again));
    CHECK_OK(ec_remove(ec, timer));
    check_no_event(ec, 1);

    /* What is queued goes with its source. */
    for (int i = 0; i < SOURCES; i++)
        write_one(fd[i]);
    CHECK(is_ready());
    for (int i = 0; i < SOURCES; i += 2)
        CHECK_OK(ec_remove(ec, source[i]));
    for (int i = 1; i < SOURCES; i += 2) {
        event_data_t event = event_wait(ec);
        CHECK(event.ev_cookie % 2 == 1);
        read_all(event.ev_fd);
    }
    CHECK(!is_ready());
    check_no_event(ec, 1);

    /* They may come back, also as others. */
    for (int i = 0; i < SOURCES; i += 2) {
        read_all(fd[i]);
        add(i, (enum way)(i % WAYS));
    }
    fetch_once(0, 1, 5);
    for (int i = 0; i < SOURCES; i++) {
        CHECK(close(fd[i]) == 0);
        CHECK((fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0);
    }
    check_no_event(ec, 1);
    for (int i = 0; i < SOURCES; i++) {
        CHECK_OK(ec_remove(ec, source[i]));
        add(i, (enum way)(i % WAYS));
    }
    fetch_once(0, 1, SOURCES);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
