/* ec_wake lets ec_wait_events and ec_delay return 0 with no event. */
#include "check.h"

static ec_t ec;
static _Atomic pid_t waiter_id;

static void *waiter(void *argument)
{
    event_data_t event;
    struct timespec limit = milliseconds(WAIT_MS);
    atomic_store(&waiter_id, thread_id());
    switch (*(int *)argument) {
    case 0:
        CHECK_IS(ec_wait_events(ec, &event, 1, NULL, NULL), 0);
        break;
    case 1:
        CHECK_IS(ec_wait_events(ec, &event, 1, &limit, NULL), 0);
        break;
    case 2:
        CHECK_IS(ec_delay(ec, NULL), 0);
        break;
    default:
        CHECK_IS(ec_delay(ec, &limit), 0);
    }
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    return NULL;
}

int main(void)
{
    check_start();
    ec = channel_new(0);
    for (int style = 0; style < 4; style++) {
        atomic_store(&waiter_id, 0);
        pthread_t thread = thread_start(waiter, &style);
        wait_asleep(&waiter_id);
        CHECK_OK(ec_wake(ec, 1));
        thread_end(thread);
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
