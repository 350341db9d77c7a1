/* With EC_ONESHOT there is one event, and another one only after ec_modify. */
#include "check.h"
#include "queue.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    mqd_t queue = queue_new();
    int source;
    CHECK_SET(source, ec_add_mq(ec, queue, EC_ONESHOT, 1));
    queue_send_byte(queue, 'a');
    for (int i = 0; i < 5; i++) {
        CHECK(event_wait(ec).ev_source == source);
        queue_send_byte(queue, 'b');
        check_no_event(ec, 10);
        queue_receive_byte(queue);
        CHECK_OK(ec_modify(ec, source, 0, EC_ONESHOT));
    }
    event_wait(ec);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
