/* SIO_QUIET: no event for a send that succeeds; the others keep theirs, in order. */
#include "check.h"

#define SENDS 8

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    unsigned char *block = block_new(end.area, 100 * SENDS);
    pattern_fill(block, 100 * SENDS, 0);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < SENDS; i++)
            CHECK_IS(sio_send(pair[0], block + 100 * i, 100, i % 4 == 3 ? 0 : SIO_QUIET), 100);
        for (int i = 3; i < SENDS; i += 4) {
            event_data_t event = event_wait(end.ec);
            CHECK(event.ev_type == EC_EV_SENT && event.ev_ptr == block + 100 * i);
        }
        check_no_event(end.ec, 5);
        for (size_t i = 0; i < SENDS; i++) {
            if (pair_is_stream(kind))
                read_pattern(pair[1], 100, 100 * i);
            else
                read_message(pair[1], 100, 100 * i);
        }
    }
    CHECK_OK(sio_release(end.area, block, 100 * SENDS));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
