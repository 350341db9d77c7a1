/*
 * Threads that wait on a channel, or poll its descriptor, wake when a request has ended, although
 * nobody calls a function of AIO. With io_uring no thread is made for that.
 */
#include "aio_event.h"

#include <sys/epoll.h>

static ec_t ec;
static struct aiocb block;
static char in[16];

static void *waiter(void *nothing)
{
    check_next_told(ec, &block, 1, 0);
    return nothing;
}

/* How the end is awaited. */
static void by_thread(int to)
{
    pthread_t thread = thread_start(waiter, NULL);
    sleep_ms(20);
    CHECK(write(to, "x", 1) == 1);
    thread_end(thread);
}

static void by_delay(int to)
{
    struct timespec limit = milliseconds(WAIT_MS);
    CHECK(write(to, "x", 1) == 1);
    CHECK_OK(ec_delay(ec, &limit));
    CHECK_OK(ec_delay(ec, &limit));
    check_next_told(ec, &block, 1, 0);
}

static void by_poll(int to)
{
    check_silent(ec, 20);
    CHECK(write(to, "x", 1) == 1);
    CHECK(is_readable(ec, WAIT_MS));
    CHECK(is_readable(ec, WAIT_MS));
    check_next_told(ec, &block, 1, 0);
    check_silent(ec, 20);
}

static void by_epoll(int to)
{
    struct epoll_event event = { EPOLLIN, { 0 } };
    int set = epoll_create1(EPOLL_CLOEXEC), n;
    CHECK(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, ec, &event) == 0);
    CHECK(write(to, "x", 1) == 1);
    do
        n = epoll_wait(set, &event, 1, WAIT_MS);
    while (n == -1 && errno == EINTR);
    CHECK(n == 1);
    check_next_told(ec, &block, 1, 0);
    CHECK(close(set) == 0);
}

static void by_channel(int to)
{
    ec_t outer = channel_new(0);
    int source;
    CHECK_SET(source, ec_add_fd(outer, ec, POLLIN, 0, 7));
    CHECK(write(to, "x", 1) == 1);
    event_wait_for(outer, EC_EV_FD, ec);
    check_next_told(ec, &block, 1, 0);
    CHECK_OK(ec_destroy(outer));
}

int main(void)
{
    static void (*const ways[])(int to) = { by_thread, by_delay, by_poll, by_epoll, by_channel };
    const char *engine = getenv("SIO_ENGINE");

    check_start();
    for (enum pair_kind kind = TCP4; kind <= UNIX_STREAM; kind += UNIX_STREAM - TCP4) {
        int ends[2];
        ec = channel_new(0);
        pair_open(kind, ends);
        for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
            block = aio_told(ec, i, ends[0], in, sizeof in);
            CHECK_OK(aio_read(&block));
            ways[i](ends[1]);
        }
        check_no_event(ec, 10);
        CHECK_OK(ec_destroy(ec));
    }
    if (engine != NULL && strcmp(engine, "io_uring") == 0)
        CHECK(count_threads() == 1);
    return 0;
}
