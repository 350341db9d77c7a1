/* A thread that waits already is woken by a timer that another one sets. */
#include "sigevent.h"

static _Atomic pid_t waiter;

static void *wait_for_it(void *argument)
{
    ec_t ec = *(ec_t *)argument;
    atomic_store(&waiter, thread_id());
    event_data_t event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_TIMER && event.ev_cookie == 5);
    return NULL;
}

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    timer_t timer = timer_new(ec, 5);
    for (int i = 0; i < 3; i++) {
        atomic_store(&waiter, 0);
        pthread_t thread = thread_start(wait_for_it, &ec);
        wait_asleep(&waiter);
        struct itimerspec when = { { 0, 0 }, { 0, 1 + i * 1000000 } };
        CHECK_OK(timer_settime(timer, i == 0 ? TIMER_ABSTIME : 0, &when, NULL));
        thread_end(thread);
    }
    CHECK_OK(timer_delete(timer));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
