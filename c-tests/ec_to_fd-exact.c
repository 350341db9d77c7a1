/*
 * The descriptor of a channel is readable as long as there is something to fetch, whatever was
 * waited for before, and by whichever thread.
 */
#include "check.h"

#define LATE_MS 20   /* what another thread, or the kernel, may still be about to say */

static ec_t ec;
static int level[2], edge[2];

static void *wait_in_vain(void *argument)
{
    struct timespec limit = milliseconds(2);
    event_data_t event;
    (void)argument;
    CHECK_ERR(ec_wait_events(ec, &event, 1, &limit, NULL), ETIMEDOUT);
    return NULL;
}

static void *look_in_vain(void *argument)
{
    event_data_t event;
    (void)argument;
    for (int i = 0; i < 3; i++)
        CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    return NULL;
}

static void *delay_in_vain(void *argument)
{
    struct timespec limit = milliseconds(2), none = milliseconds(0);
    (void)argument;
    CHECK_ERR(ec_delay(ec, &limit), ETIMEDOUT);
    CHECK_ERR(ec_delay(ec, &none), ETIMEDOUT);
    return NULL;
}

static void *be_interrupted(void *argument)
{
    sigset_t set;
    event_data_t event;
    (void)argument;
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR1) == 0);
    CHECK_THREAD(pthread_sigmask(SIG_UNBLOCK, &set, NULL));
    timer_t timer = signal_start();
    CHECK_ERR(ec_wait_events(ec, &event, 1, NULL, NULL), EINTR);
    CHECK(timer_delete(timer) == 0);
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, &set, NULL));
    return NULL;
}

static void *(*const pasts[])(void *) = {
    wait_in_vain, look_in_vain, delay_in_vain, be_interrupted,
};
#define PASTS (sizeof pasts / sizeof *pasts)

static void check_quiet(void)
{
    CHECK(is_readable(ec, 0) == 0);
    CHECK(is_readable(ec, LATE_MS) == 0);
}

/* What the program has read itself is gone, and what was written before a look is found by it. */
static void in_time(void *(*past)(void *), int other_thread)
{
    event_data_t event;
    struct timespec none = milliseconds(0);
    char byte;
    int source;
    ec = channel_new(0);
    CHECK_SET(source, ec_add_fd(ec, level[0], POLLIN, 0, 1));
    for (int i = 0; i < 3; i++) {
        if (other_thread)
            thread_end(thread_start(past, NULL));
        else
            past(NULL);
        check_quiet();
        CHECK(write(level[1], "x", 1) == 1);
        CHECK(is_readable(ec, 0) == 1);
        CHECK(read(level[0], &byte, 1) == 1);
        check_quiet();
        CHECK(write(level[1], "x", 1) == 1);
        switch (i) {
        case 0:
            CHECK_OK(ec_next_event(ec, &event));
            CHECK(event.ev_source == source);
            break;
        case 1:
            CHECK_IS(ec_wait_events(ec, &event, 1, &none, NULL), 1);
            CHECK(event.ev_source == source);
            break;
        default:
            CHECK_OK(ec_delay(ec, &none));
            CHECK_OK(ec_next_event(ec, &event));
            CHECK(event.ev_source == source);
        }
        CHECK(is_readable(ec, 0) == 1);
        CHECK(read(level[0], &byte, 1) == 1);
        check_quiet();
    }
    CHECK_OK(ec_destroy(ec));
}

static void *wait_for_edge(void *argument)
{
    event_data_t event = event_wait(ec);
    (void)argument;
    CHECK(event.ev_fd == edge[0]);
    return NULL;
}

/*
 * A thread that waited has ended, with an event; what comes next is fetched by another. What the
 * kernel then says on behalf of the first may be late where there is much to do: not always.
 */
static void after_end(void)
{
    event_data_t event;
    char byte;
    int quiet = 0;
    ec = channel_new(0);
    CHECK(ec_add_fd(ec, level[0], POLLIN, 0, 1) >= 0);
    CHECK(ec_add_fd(ec, edge[0], POLLIN, EC_EDGE, 2) >= 0);
    for (int i = 0; i < 10; i++) {
        pthread_t thread = thread_start(wait_for_edge, NULL);
        sleep_ms(5);
        CHECK(write(edge[1], "x", 1) == 1);
        thread_end(thread);
        if (i % 2) {
            post_user(ec, 3);
        } else {
            CHECK(write(level[1], "x", 1) == 1);
        }
        CHECK_OK(ec_next_event(ec, &event));
        CHECK(event.ev_cookie == (i % 2 ? 3 : 1));
        CHECK(i % 2 || read(level[0], &byte, 1) == 1);
        quiet += is_readable(ec, LATE_MS) == 0;
        CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
        check_quiet();
    }
    CHECK(quiet > 5);
    CHECK_OK(ec_destroy(ec));
}

static void *add_edge(void *argument)
{
    (void)argument;
    CHECK(ec_add_fd(ec, edge[0], POLLIN, EC_EDGE, 2) >= 0);
    return NULL;
}

/* Readable means that the next look finds something, also where the thread has ended that asked. */
static void one_look(void)
{
    event_data_t event;
    char bytes[64];
    CHECK(read(edge[0], bytes, sizeof bytes) >= 0 || errno == EAGAIN);
    for (int i = 0; i < 10; i++) {
        ec = channel_new(0);
        thread_end(thread_start(add_edge, NULL));
        CHECK(write(edge[1], "x", 1) == 1);
        CHECK(is_readable(ec, WAIT_MS) == 1);
        CHECK_OK(ec_next_event(ec, &event));
        CHECK(event.ev_fd == edge[0]);
        CHECK(read(edge[0], bytes, 1) == 1);
        CHECK_OK(ec_destroy(ec));
    }
}

int main(void)
{
    check_start();
    CHECK(pipe2(level, O_CLOEXEC | O_NONBLOCK) == 0);
    CHECK(pipe2(edge, O_CLOEXEC | O_NONBLOCK) == 0);
    sigset_t set;
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR1) == 0);
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, &set, NULL));
    signal_catch();
    after_end();
    one_look();
    for (size_t past = 0; past < PASTS; past++)
        for (int other_thread = 0; other_thread < 2; other_thread++)
            in_time(pasts[past], other_thread);
    return 0;
}
