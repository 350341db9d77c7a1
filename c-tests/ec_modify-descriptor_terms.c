/* A descriptor or queue can change between level, edge and one-shot at any time, in any order. */
#include "check.h"
#include "queue.h"

static const unsigned terms[] = { 0, EC_EDGE, EC_ONESHOT, EC_EDGE | EC_ONESHOT };

/* Something lies there: it is told now, and again only where it is a level. */
static void check_terms(ec_t ec, int source, unsigned flags)
{
    event_data_t event = event_wait(ec);
    CHECK(event.ev_source == source && event.ev_result == POLLIN);
    if (flags == 0)
        CHECK(event_wait(ec).ev_source == source);
    else
        check_no_event(ec, 2);
}

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    mqd_t queue = queue_new();
    int ends[2], source;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    queue_send_byte(queue, 'x');
    for (int from = 0; from < 4; from++)
        for (int to = 0; to < 8; to++) {
            int is_fetched = to / 4;
            CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, terms[from], 1));
            if (is_fetched)
                event_wait(ec);
            CHECK_OK(ec_modify(ec, source, POLLIN, terms[to % 4]));
            check_terms(ec, source, terms[to % 4]);
            CHECK_OK(ec_modify(ec, source, POLLPRI, terms[to % 4]));
            check_no_event(ec, 2);
            CHECK_OK(ec_remove(ec, source));

            CHECK_SET(source, ec_add_mq(ec, queue, terms[from], 1));
            if (is_fetched)
                event_wait(ec);
            CHECK_OK(ec_modify(ec, source, 0, terms[to % 4]));
            check_terms(ec, source, terms[to % 4]);
            CHECK_OK(ec_remove(ec, source));
            check_no_event(ec, 2);
        }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
