/* An accepted send goes out with the next call that fetches or waits, also one that fails. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    void *block = block_new(end.area, 100);
    event_data_t event;
    struct timespec zero = { 0, 0 };
    pattern_fill(block, 100, 0);
    for (int style = 0; style < 4; style++) {
        int n = 0;
        CHECK_IS(sio_send(pair[0], block, 100, 0), 100);
        errno = 0;
        switch (style) {
        case 0:
            n = ec_next_event(end.ec, &event) == 0;
            break;
        case 1:
            n = ec_next_events(end.ec, &event, 1) == 1;
            break;
        case 2:
            n = ec_wait_events(end.ec, &event, 1, &zero, NULL) == 1;
            break;
        default:
            CHECK(ec_delay(end.ec, &zero) == 0 || errno == ETIMEDOUT);
        }
        CHECK(is_readable(pair[1], WAIT_MS));
        read_message(pair[1], 100, 0);
        if (n == 0)
            event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_SENT && event.ev_result == 100);
    }
    CHECK_OK(sio_release(end.area, block, 100));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
