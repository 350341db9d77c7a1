/*
 * A thread that only waits may leave its channel readable with nothing to fetch. Once it polls the
 * descriptor after all, it is told of everything that comes, and the descriptor falls silent.
 */
#include "sources.h"

#include <sys/eventfd.h>

#define WAITS 40
#define ROUNDS 2
#define LATE_MS 10
#define SILENCE_MS 10
#define VAIN_MAX 10

static void write_one(int fd)
{
    uint64_t one = 1;
    CHECK(write(fd, &one, sizeof one) == sizeof one);
}

static void *write_late(void *fd)
{
    usleep(LATE_MS * 1000);
    write_one(*(int *)fd);
    return NULL;
}

/* Polls as a program does that knows that it may come in vain, but not for ever. */
static void expect(ec_t ec, int fd)
{
    event_data_t event;
    int n;
    for (int i = 0; i < VAIN_MAX; i++) {
        CHECK(is_readable(ec, WAIT_MS));
        n = ec_next_event(ec, &event);
        if (n == 0)
            break;
        CHECK(errno == EAGAIN);
    }
    CHECK(n == 0 && event.ev_type == EC_EV_FD && event.ev_fd == fd);
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
}

/* The kernel may be late with what it tells of an eventfd. */
static void expect_silence(ec_t ec)
{
    event_data_t event;
    int vain = 0;
    while (is_readable(ec, SILENCE_MS)) {
        CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
        CHECK(++vain < VAIN_MAX);
    }
}

/* The descriptor tells of what is written, now and by another thread later, and falls silent. */
static void told(ec_t ec, int fd)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        expect_silence(ec);
        write_one(fd);
        expect(ec, fd);
        expect_silence(ec);
        CHECK(pthread_create(&thread, NULL, write_late, &fd) == 0);
        expect(ec, fd);
        CHECK(pthread_join(thread, NULL) == 0);
    }
}

/* Waits as often as it takes to form a habit. */
static void wait_often(ec_t ec, int fd)
{
    event_data_t event;
    for (int i = 0; i < WAITS; i++) {
        write_one(fd);
        CHECK(ec_wait_events(ec, &event, 1, NULL, NULL) == 1);
        CHECK(event.ev_fd == fd);
    }
}

/* A program that polls after all. */
static void stranger_told(ec_t ec, int fd)
{
    pthread_t thread;
    wait_often(ec, fd);
    CHECK(pthread_create(&thread, NULL, write_late, &fd) == 0);
    expect(ec, fd);
    CHECK(pthread_join(thread, NULL) == 0);
    told(ec, fd);
}

/* A program that has asked for the descriptor. */
static void asker_told(ec_t ec, int fd)
{
    CHECK(ec_to_fd(ec) == ec);
    wait_often(ec, fd);
    told(ec, fd);
}

/* A program whose wait has ended with nothing. */
static void loser_told(ec_t ec, int fd)
{
    static const struct timespec soon = { .tv_nsec = 1000000 };
    event_data_t event;
    wait_often(ec, fd);
    CHECK_ERR(ec_wait_events(ec, &event, 1, &soon, NULL), ETIMEDOUT);
    told(ec, fd);
}

static void with(unsigned channel_flags, unsigned flags, void (*body)(ec_t ec, int fd))
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ec_t ec = channel_new(channel_flags);
    CHECK(fd >= 0);
    CHECK(ec_add_fd(ec, fd, POLLIN, flags, 0) >= 0);
    body(ec, fd);
    CHECK_OK(ec_destroy(ec));
    close(fd);
}

int main(void)
{
    static void (*const bodies[])(ec_t, int) = { stranger_told, asker_told, loser_told };
    static const unsigned triggers[] = { EC_EDGE, EC_COUNTER };
    check_start();
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        for (size_t j = 0; j < sizeof triggers / sizeof *triggers; j++) {
            with(0, triggers[j], bodies[i]);
            with(EC_SINGLE, triggers[j], bodies[i]);
        }
    return 0;
}
