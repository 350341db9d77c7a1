/* Whether a socket's event is repeated can be changed while it is in the channel. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];

    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 20, ATTACHED);
    write_message(pair[1], 10, 0);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(ec_modify(end.ec, end.source, 0, 0));
        for (int i = 0; i < 3; i++)
            CHECK(event_wait(end.ec).ev_type == EC_EV_RECV);
        CHECK_OK(ec_modify(end.ec, end.source, 0, EC_EDGE));
        /* It may be told once more. */
        event_data_t event;
        for (int told = 0; ec_next_event(end.ec, &event) == 0; told++)
            CHECK(told == 0);
        CHECK(errno == EAGAIN);
        check_no_event(end.ec, 10);
    }
    write_message(pair[1], 10, 10);
    CHECK(event_wait(end.ec).ev_type == EC_EV_RECV);
    check_no_event(end.ec, 10);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
