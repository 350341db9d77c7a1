/* Threads that have waited end: the channel's descriptor is not readable because of that. */
#include "check.h"

#define ROUNDS 200
#define THREADS 4

static ec_t ec;

/* Each waits in another way, for one event. */
static void *fetch_one(void *argument)
{
    event_data_t event;
    struct timespec limit = milliseconds(1);
    switch ((int)(intptr_t)argument) {
    case 0:
        do
            CHECK_OK(ec_delay(ec, NULL));
        while (ec_next_event(ec, &event) != 0);
        break;
    case 1:
        while (ec_wait_events(ec, &event, 1, &limit, NULL) != 1)
            CHECK(errno == ETIMEDOUT);
        break;
    default:
        CHECK_IS(ec_wait_events(ec, &event, 1, NULL, NULL), 1);
    }
    return NULL;
}

int main(void)
{
    check_start();
    ec = channel_new(0);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        for (intptr_t i = 0; i < THREADS; i++)
            threads[i] = thread_start(fetch_one, (void *)i);
        for (int i = 0; i < THREADS; i++) {
            post_user(ec, (uint64_t)i);
            /* Before they wait, and while they do. */
            for (int k = 0; k < round % 7; k++)
                sched_yield();
        }
        for (int i = 0; i < THREADS; i++)
            thread_end(threads[i]);
        /* What the kernel takes back of a thread that has gone comes a little later. */
        CHECK(!is_readable(ec, 3));
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
