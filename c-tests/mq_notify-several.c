/* Several queues tell one channel: each is an event of its own, also when all are fetched at once. */
#include "queue.h"
#include "sigevent.h"

#define QUEUES 6

int main(void)
{
    check_start();
    ec_t ec = channel_new(EC_CAPACITY(1));
    event_data_t event[QUEUES + 1];
    mqd_t queue[QUEUES];
    for (int i = 0; i < QUEUES; i++)
        queue[i] = queue_open(O_RDWR);
    for (int looked_at = 0; looked_at < 2; looked_at++) {
        int seen = 0;
        for (int i = 0; i < QUEUES; i++) {
            struct sigevent how = to_channel(ec, (uintptr_t)i);
            CHECK_OK(mq_notify(queue[i], &how));
        }
        for (int i = 0; i < QUEUES; i++) {
            queue_send(queue[i]);
            if (looked_at)
                CHECK_OK(ec_delay(ec, NULL));
        }
        for (int count = 0; count < QUEUES;) {
            struct timespec limit = milliseconds(WAIT_MS);
            int more = ec_wait_events(ec, event, QUEUES + 1, &limit, NULL);
            CHECK(more > 0);
            for (int i = 0; i < more; i++) {
                CHECK(event[i].ev_type == EC_EV_MQ && event[i].ev_cookie < QUEUES);
                CHECK(event[i].ev_fd == queue[event[i].ev_cookie]);
                seen |= 1 << event[i].ev_cookie;
            }
            count += more;
        }
        CHECK(seen == (1 << QUEUES) - 1);
        for (int i = 0; i < QUEUES; i++)
            queue_receive(queue[i]);
    }
    check_no_event(ec, 5);
    for (int i = 0; i < QUEUES; i++)
        CHECK(mq_close(queue[i]) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
