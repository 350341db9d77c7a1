/*
 * Many requests of several threads, which end soon after; others fetch from one shared channel.
 * Each is told exactly once. Some ask with aio_suspend as well, and some threads have ended before
 * their requests do.
 */
#include "aio_event.h"

#define MAKERS 3
#define FETCHERS 3
#define ROUNDS 20
#define BATCH 32
#define TO_TELL (MAKERS * ROUNDS * BATCH)

struct request {
    struct aiocb block;
    char in;
    atomic_int told;
};

static ec_t ec;
static struct request requests[MAKERS][ROUNDS][BATCH];
static int ends[MAKERS][2];
static atomic_int told;

static void *fetch(void *nothing)
{
    event_data_t events[8];
    struct timespec limit = milliseconds(WAIT_MS);
    for (int ends_seen = 0; ends_seen == 0;) {
        int n;
        CHECK_SET(n, ec_wait_events(ec, events, 8, &limit, NULL));
        for (int i = 0; i < n; i++) {
            if (events[i].ev_type == EC_EV_USER) {
                ends_seen++;
                continue;
            }
            struct request *request = events[i].ev_ptr;
            check_told(&events[i], &request->block, 1, 0);
            CHECK(atomic_fetch_add(&request->told, 1) == 0);
            if (atomic_fetch_add(&told, 1) + 1 == TO_TELL)
                post_user(ec, 0);
        }
        /* For the next one. */
        if (ends_seen != 0)
            post_user(ec, 0);
    }
    return nothing;
}

/* A thread that ends at once. */
static void *begin(void *argument)
{
    struct request *request = argument;
    CHECK_OK(aio_read(&request->block));
    return NULL;
}

static void *make(void *argument)
{
    int maker = (int)(intptr_t)argument;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BATCH; i++) {
            struct request *request = &requests[maker][round][i];
            request->block = aio_told(ec, (uintptr_t)i, ends[maker][0], &request->in, 1);
            if (i == BATCH / 2)
                thread_end(thread_start(begin, request));
            else
                CHECK_OK(aio_read(&request->block));
        }
        for (int i = 0; i < BATCH; i++)
            CHECK(write(ends[maker][1], "x", 1) == 1);
        const struct aiocb *last[] = { &requests[maker][round][BATCH - 1].block };
        while (aio_error(last[0]) == EINPROGRESS)
            CHECK(aio_suspend(last, 1, NULL) == 0);
    }
    return NULL;
}

int main(void)
{
    pthread_t makers[MAKERS], fetchers[FETCHERS];
    check_start();
    ec = channel_new(0);
    for (int i = 0; i < FETCHERS; i++)
        fetchers[i] = thread_start(fetch, NULL);
    for (int i = 0; i < MAKERS; i++) {
        pair_open(i == 0 ? TCP4 : UNIX_STREAM, ends[i]);
        makers[i] = thread_start(make, (void *)(intptr_t)i);
    }
    for (int i = 0; i < MAKERS; i++)
        thread_end(makers[i]);
    for (int i = 0; i < FETCHERS; i++)
        thread_end(fetchers[i]);
    CHECK(event_wait(ec).ev_type == EC_EV_USER);
    check_no_event(ec, 10);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
