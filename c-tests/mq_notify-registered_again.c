/* The queue may get its next registration before the event of the last one is fetched. */
#include "queue.h"
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    mqd_t queue = queue_open(O_RDWR);
    struct sigevent how = to_channel(ec, 1), none = how;
    none.sigev_notify = SIGEV_NONE;
    CHECK_OK(mq_notify(queue, &how));
    queue_send(queue);
    queue_receive(queue);
    how = to_channel(ec, 2);
    CHECK_OK(mq_notify(queue, &how));
    CHECK(event_wait(ec).ev_cookie == 1);
    check_no_event(ec, 5);
    queue_send(queue);
    queue_receive(queue);

    /* One that is not the channel's is left alone when the event is fetched. */
    CHECK_OK(mq_notify(queue, &none));
    CHECK(event_wait(ec).ev_cookie == 2);
    check_no_event(ec, 5);
    CHECK_ERR(mq_notify(queue, &how), EBUSY);
    CHECK(mq_close(queue) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
