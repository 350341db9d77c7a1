/* A registration is the parent's: a child that ends, or closes the queue, leaves it alone. */
#include "queue.h"
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    mqd_t queue = queue_open(O_RDWR);
    struct sigevent how = to_channel(ec, 7);
    for (int closes = 0; closes < 2; closes++) {
        CHECK_OK(mq_notify(queue, &how));
        pid_t child = child_start();
        if (child == 0) {
            CHECK_OK(mq_notify(queue, NULL));
            ec_t own = channel_new(0);
            CHECK_OK(ec_destroy(own));
            if (closes)
                CHECK(mq_close(queue) == 0);
            exit(0);
        }
        child_end(child);
        check_no_event(ec, 5);

        child = child_start();
        if (child == 0) {
            queue_send(queue);
            exit(0);
        }
        child_end(child);
        CHECK(event_wait(ec).ev_cookie == 7);
        queue_receive(queue);
    }
    CHECK(mq_close(queue) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
