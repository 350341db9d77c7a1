/* A queue that is open for sending alone is told when there is room; ec_modify asks for either. */
#include "check.h"
#include "queue.h"

static void fill(mqd_t queue)
{
    while (mq_send(queue, "x", 1, 0) == 0)
        continue;
    CHECK(errno == EAGAIN);
}

int main(void)
{
    static const unsigned variants[] = { 0, EC_EDGE, EC_ONESHOT };
    check_start();
    for (unsigned i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        ec_t ec = channel_new(0);
        mqd_t ends[3];
        int source;
        queue_open_ends(ends, (int[]){ O_WRONLY | O_NONBLOCK, O_RDONLY, O_RDWR | O_NONBLOCK }, 3);
        fill(ends[0]);
        CHECK_SET(source, ec_add_mq(ec, ends[0], variants[i], 1));
        check_no_event(ec, 10);
        queue_receive_byte(ends[1]);
        event_data_t event = event_wait(ec);
        CHECK(event.ev_fd == ends[0] && event.ev_result == POLLOUT && event.ev_source == source);
        fill(ends[0]);
        check_no_event(ec, 10);
        CHECK_OK(ec_remove(ec, source));

        /* Both at once, on a queue that is open for both: it is full, so it has messages only. */
        CHECK_SET(source, ec_add_mq(ec, ends[2], variants[i], 1));
        CHECK(event_wait(ec).ev_result == POLLIN);
        CHECK_OK(ec_modify(ec, source, POLLOUT, variants[i]));
        check_no_event(ec, 10);
        queue_receive_byte(ends[1]);
        CHECK(event_wait(ec).ev_result == POLLOUT);
        CHECK_OK(ec_modify(ec, source, POLLIN | POLLOUT, variants[i]));
        CHECK(event_wait(ec).ev_result == (POLLIN | POLLOUT));
        /* 0 is what the queue was added for. */
        CHECK_OK(ec_modify(ec, source, 0, variants[i]));
        CHECK(event_wait(ec).ev_result == POLLIN);
        CHECK_OK(ec_destroy(ec));
        for (int end = 0; end < 3; end++)
            CHECK(mq_close(ends[end]) == 0);
    }
    return 0;
}
