/* A waiter that is cancelled has consumed nothing: each event is got by it or by somebody else. */
#include "check.h"

static ec_t ec;
static _Atomic pid_t waiter_id;
static _Atomic int got;

static void *waiter(void *argument)
{
    event_data_t event;
    (void)argument;
    atomic_store(&waiter_id, thread_id());
    /* Nothing between the fetch and the count is a cancellation point. */
    if (ec_wait_events(ec, &event, 1, NULL, NULL) == 1)
        atomic_fetch_add(&got, 1);
    return NULL;
}

int main(void)
{
    check_start();
    ec = channel_new(0);
    for (int i = 0; i < 200; i++) {
        event_data_t event;
        struct timespec moment = { 0, i % 50 * 2000 };
        atomic_store(&got, 0);
        atomic_store(&waiter_id, 0);
        pthread_t thread = thread_start(waiter, NULL);
        if (i % 20 == 0)
            wait_asleep(&waiter_id);
        nanosleep(&moment, NULL);
        if (i % 2 == 0) {
            CHECK_THREAD(pthread_cancel(thread));
            post_user(ec, (uint64_t)i);
        } else {
            post_user(ec, (uint64_t)i);
            CHECK_THREAD(pthread_cancel(thread));
        }
        thread_end(thread);
        if (atomic_load(&got) == 0)
            CHECK(event_wait(ec).ev_cookie == (uint64_t)i);
        CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
