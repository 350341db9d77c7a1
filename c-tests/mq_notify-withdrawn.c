/* mq_notify without a notification takes a registration of SIGEV_EC back, but not its event. */
#include "queue.h"
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    mqd_t queue = queue_open(O_RDWR);
    struct sigevent how = to_channel(ec, 7);
    int before = count_descriptors();
    for (int i = 0; i < 3; i++) {
        CHECK_OK(mq_notify(queue, &how));
        CHECK_OK(mq_notify(queue, NULL));
        CHECK(count_descriptors() == before);
        CHECK(is_readable(ec, 0) == 0);
        queue_send(queue);
        check_no_event(ec, 5);
        queue_receive(queue);
    }
    CHECK_OK(mq_notify(queue, &how));
    queue_send(queue);
    CHECK_OK(mq_notify(queue, NULL));
    CHECK(is_readable(ec, 0) == 1);
    CHECK(event_wait(ec).ev_cookie == 7);
    check_no_event(ec, 5);
    CHECK(count_descriptors() == before);
    CHECK_OK(mq_notify(queue, NULL));
    CHECK(mq_close(queue) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
