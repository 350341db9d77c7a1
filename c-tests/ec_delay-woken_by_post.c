/* ec_delay without limit returns when another thread posts an event; the event is still there. */
#include "check.h"

static ec_t ec;
static _Atomic pid_t waiter_id;

static void *waiter(void *argument)
{
    event_data_t event;
    (void)argument;
    atomic_store(&waiter_id, thread_id());
    CHECK_OK(ec_delay(ec, NULL));
    CHECK_OK(ec_next_event(ec, &event));
    CHECK(event.ev_cookie == 8);
    return NULL;
}

int main(void)
{
    check_start();
    ec = channel_new(0);
    pthread_t thread = thread_start(waiter, NULL);
    wait_asleep(&waiter_id);
    post_user(ec, 8);
    thread_end(thread);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
