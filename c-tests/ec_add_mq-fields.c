/* The event of a message queue, member by member; the message is left to the program. */
#include "check.h"
#include "queue.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    mqd_t queue = queue_new();
    int source;
    CHECK_SET(source, ec_add_mq(ec, queue, 0, UINT64_MAX));
    check_no_event(ec, 20);
    queue_send_byte(queue, 'a');
    event_data_t event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_MQ);
    CHECK(event.ev_fd == queue);
    CHECK(event.ev_cookie == UINT64_MAX);
    CHECK(event.ev_result == POLLIN);
    CHECK(event.ev_errno == 0 && event.ev_flags == 0);
    CHECK(event.ev_ptr == NULL && event.ev_len == 0);
    CHECK(event.ev_source == source);
    struct mq_attr attributes;
    CHECK(mq_getattr(queue, &attributes) == 0 && attributes.mq_curmsgs == 1);
    CHECK(queue_receive_byte(queue) == 'a');
    CHECK_OK(ec_remove(ec, source));
    queue_send_byte(queue, 'b');
    check_no_event(ec, 20);
    CHECK_OK(ec_destroy(ec));
    CHECK(mq_close(queue) == 0);
    return 0;
}
