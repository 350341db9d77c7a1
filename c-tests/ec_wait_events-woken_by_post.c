/* A thread that waits without limit gets an event that another thread posts. */
#include "check.h"

static ec_t ec;
static _Atomic pid_t waiter_id;

static void *waiter(void *argument)
{
    event_data_t event;
    (void)argument;
    atomic_store(&waiter_id, thread_id());
    CHECK_IS(ec_wait_events(ec, &event, 1, NULL, NULL), 1);
    CHECK(event.ev_type == EC_EV_USER && event.ev_cookie == 42);
    return NULL;
}

int main(void)
{
    check_start();
    ec = channel_new(0);
    pthread_t thread = thread_start(waiter, NULL);
    wait_asleep(&waiter_id);
    post_user(ec, 42);
    thread_end(thread);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
