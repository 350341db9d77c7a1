/* Sends with SIO_QUIET give their places in the channel back: a small channel serves for ever. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    end.ec = channel_new(EC_CAPACITY(2));
    CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], 0, 1));
    void *block = block_new(end.area, 64);
    pattern_fill(block, 64, 0);
    for (int sent = 0; sent < 200;) {
        errno = 0;
        if (sio_send(pair[0], block, 64, SIO_QUIET) == 64) {
            sent++;
        } else {
            CHECK(errno == EAGAIN);
            CHECK_OK(ec_flush(end.ec));
            event_data_t event;
            CHECK_ERR(ec_next_event(end.ec, &event), EAGAIN);
        }
        while (is_readable(pair[1], 0)) {
            char buffer[64];
            CHECK(recv(pair[1], buffer, sizeof buffer, 0) > 0);
        }
    }
    CHECK_OK(sio_release(end.area, block, 64));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
