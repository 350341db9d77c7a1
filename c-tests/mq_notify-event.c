/* mq_notify with SIGEV_EC is one event when a message comes into the empty queue, then no more. */
#include "queue.h"
#include "sigevent.h"

int main(void)
{
    check_start();
    static const int modes[] = { O_RDWR, O_RDONLY | O_NONBLOCK };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        ec_t ec = channel_new(EC_CAPACITY(1));
        mqd_t queue = queue_open(modes[i]), writer = queue_writer(queue);
        struct sigevent how = to_channel(ec, 0x1122334455667788u);
        for (int j = 0; j < 3; j++) {
            CHECK_OK(mq_notify(queue, &how));
            check_no_event(ec, 5);
            queue_send(writer);
            event_data_t event = event_wait(ec);
            CHECK(event.ev_type == EC_EV_MQ && event.ev_fd == queue && event.ev_result == POLLIN);
            CHECK(event.ev_cookie == 0x1122334455667788u && event.ev_errno == 0);
            CHECK(event.ev_flags == 0 && event.ev_ptr == NULL && event.ev_len == 0);
            CHECK(event.ev_source == -1);
            /* The message is left to the program. */
            queue_receive(queue);
            queue_send(writer);
            check_no_event(ec, 5);
            queue_receive(queue);
        }
        CHECK(mq_close(writer) == 0 && mq_close(queue) == 0);
        CHECK_OK(ec_destroy(ec));
    }
    return 0;
}
