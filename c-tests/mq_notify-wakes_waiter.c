/* A thread that waits already is woken by a message, and not by a registration that is taken back. */
#include "queue.h"
#include "sigevent.h"

static _Atomic pid_t waiter;

static void *wait_for_it(void *argument)
{
    ec_t ec = *(ec_t *)argument;
    atomic_store(&waiter, thread_id());
    event_data_t event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_MQ && event.ev_cookie == 5);
    return NULL;
}

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    mqd_t queue = queue_open(O_RDWR);
    struct sigevent how = to_channel(ec, 5);
    for (int i = 0; i < 3; i++) {
        atomic_store(&waiter, 0);
        pthread_t thread = thread_start(wait_for_it, &ec);
        wait_asleep(&waiter);
        CHECK_OK(mq_notify(queue, &how));
        CHECK_OK(mq_notify(queue, NULL));
        wait_asleep(&waiter);
        CHECK_OK(mq_notify(queue, &how));
        queue_send(queue);
        thread_end(thread);
        queue_receive(queue);
    }
    CHECK(mq_close(queue) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
