/* A queue that is not empty tells nothing until it has been emptied. */
#include "queue.h"
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    mqd_t queue = queue_open(O_RDWR);
    struct sigevent how = to_channel(ec, 1);
    queue_send(queue);
    CHECK_OK(mq_notify(queue, &how));
    check_no_event(ec, 5);
    queue_send(queue);
    check_no_event(ec, 5);
    queue_receive(queue);
    queue_receive(queue);
    check_no_event(ec, 5);
    queue_send(queue);
    CHECK(event_wait(ec).ev_cookie == 1);
    CHECK(mq_close(queue) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
