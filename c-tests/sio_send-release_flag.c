/*
 * SIO_RELEASE gives the whole block away with the call, even when part of it is sent, from its first
 * byte on or from another one. It is free when it is sent: 300 blocks of 3000 bytes pass through an
 * area of 65536.
 */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    for (size_t i = 0; i < 300; i++) {
        const size_t skip = i % 2 * 100;
        unsigned char *block = block_new(end.area, 3000);
        pattern_fill(block, 3000, i);
        CHECK_IS(sio_send(pair[0], block + skip, 1000, SIO_RELEASE), 1000);
        CHECK_ERR(sio_release(end.area, block, 3000), EINVAL);
        CHECK_ERR(sio_release(end.area, block + skip, 1000), EINVAL);
        CHECK_ERR(sio_send(pair[0], block, 1, 0), EFAULT);
        CHECK_ERR(sio_send(pair[0], block + 100, 1000, 0), EFAULT);
        if (attach == ATTACHED) {
            event_data_t event = event_wait(end.ec);
            CHECK(event.ev_type == EC_EV_SENT && event.ev_ptr == block + skip);
            CHECK(event.ev_result == 1000);
        }
        read_message(pair[1], 1000, i + skip);
    }
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
