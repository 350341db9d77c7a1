/* Closing the queue takes a registration of SIGEV_EC back: no event, and nothing is left behind. */
#include "queue.h"
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int before = count_descriptors();
    for (int i = 0; i < 200; i++) {
        mqd_t queue = queue_open(O_RDWR);
        struct sigevent how = to_channel(ec, 1);
        CHECK_OK(mq_notify(queue, &how));
        CHECK(mq_close(queue) == 0);
        /* Without a call on the channel at most the last one is still to be found out. */
        CHECK(count_descriptors() <= before + 1);
    }
    check_no_event(ec, 5);
    CHECK(count_descriptors() == before);
    CHECK(is_readable(ec, 0) == 0);

    /* The event of a message that came before is not lost. */
    mqd_t queue = queue_open(O_RDWR);
    struct sigevent how = to_channel(ec, 9);
    CHECK_OK(mq_notify(queue, &how));
    queue_send(queue);
    CHECK(mq_close(queue) == 0);
    CHECK(event_wait(ec).ev_cookie == 9);
    CHECK(count_descriptors() == before);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
