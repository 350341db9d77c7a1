/* A thread that never has to wait, because a source is always ready, can be cancelled: ec_wait_events
 * and ec_delay are cancellation points, whatever they find. */
#include "check.h"

#include <sys/eventfd.h>

struct kind {
    unsigned flags;
    int delays;
};

static _Atomic long rounds;

static void *fetch_for_ever(void *argument)
{
    const struct kind *kind = argument;
    int ready = eventfd(1, 0), source;
    ec_t ec = channel_new(kind->flags);
    event_data_t event;

    CHECK(ready >= 0);
    CHECK_SET(source, ec_add_fd(ec, ready, POLLIN, 0, 7));
    for (;; atomic_fetch_add(&rounds, 1)) {
        if (kind->delays)
            CHECK_OK(ec_delay(ec, NULL));
        else
            CHECK_IS(ec_wait_events(ec, &event, 1, NULL, NULL), 1);
    }
    return NULL;
}

int main(void)
{
    const struct kind kinds[] = { { 0, 0 }, { 0, 1 }, { EC_SINGLE, 0 }, { EC_SINGLE, 1 } };

    check_start();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        atomic_store(&rounds, 0);
        pthread_t thread = thread_start(fetch_for_ever, (void *)&kinds[i]);
        while (atomic_load(&rounds) < 10)
            sleep_ms(1);
        CHECK_THREAD(pthread_cancel(thread));
        CHECK(thread_end(thread) == PTHREAD_CANCELED);
    }
    return 0;
}
