/* Without flags the event of a queue is repeated until the last message has been received. */
#include "check.h"
#include "queue.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    mqd_t queue = queue_new();
    int source;
    CHECK_SET(source, ec_add_mq(ec, queue, 0, 1));
    for (char byte = 'a'; byte < 'a' + MESSAGES_MAX; byte++)
        queue_send_byte(queue, byte);
    for (char byte = 'a'; byte < 'a' + MESSAGES_MAX; byte++) {
        CHECK(event_wait(ec).ev_source == source);
        CHECK(event_wait(ec).ev_result == POLLIN);
        CHECK(queue_receive_byte(queue) == byte);
    }
    check_no_event(ec, 20);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
