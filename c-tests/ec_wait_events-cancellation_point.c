/* ec_wait_events and ec_delay are cancellation points, as every call that waits: pthreads(7). */
#include "check.h"

static ec_t ec;
static _Atomic pid_t waiter_id;

static void *wait_for_ever(void *argument)
{
    event_data_t event;
    atomic_store(&waiter_id, thread_id());
    if (argument == NULL)
        ec_wait_events(ec, &event, 1, NULL, NULL);
    else
        ec_delay(ec, NULL);
    return NULL;
}

int main(void)
{
    check_start();
    ec = channel_new(0);
    for (int i = 0; i < 2; i++) {
        atomic_store(&waiter_id, 0);
        pthread_t thread = thread_start(wait_for_ever, i == 0 ? NULL : &ec);
        wait_asleep(&waiter_id);
        CHECK_THREAD(pthread_cancel(thread));
        CHECK(thread_end(thread) == PTHREAD_CANCELED);
        post_user(ec, 1);
        CHECK(event_wait(ec).ev_cookie == 1);
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
