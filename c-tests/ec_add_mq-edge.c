/* With EC_EDGE there is an event for what has arrived, and none while it lies there. */
#include "check.h"
#include "queue.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    mqd_t queue = queue_new();
    int source;
    queue_send_byte(queue, 'a');
    CHECK_SET(source, ec_add_mq(ec, queue, EC_EDGE, 1));
    /* What was there before counts as an arrival. */
    CHECK(event_wait(ec).ev_source == source);
    check_no_event(ec, 20);
    for (int i = 0; i < 50; i++) {
        CHECK(queue_receive_byte(queue) == 'a');
        queue_send_byte(queue, 'a');
        event_data_t event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_MQ && event.ev_result == POLLIN);
        CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    }
    CHECK_OK(ec_remove(ec, source));
    CHECK(queue_receive_byte(queue) == 'a');
    queue_send_byte(queue, 'a');
    check_no_event(ec, 20);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
