/* sio_info counts sends that were not accepted, and those that failed after they had been. */
#include "check.h"

enum { PIECE = 4096 };

static void run(enum pair_kind kind)
{
    int pair[2];
    struct sio_info info;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    end.ec = channel_new(EC_CAPACITY(1));
    CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], 0, 1));
    void *block = block_new(end.area, PIECE);
    pattern_fill(block, PIECE, 0);

    /* Two have places in the channel; nobody fetches. */
    for (int i = 0; i < 2; i++)
        CHECK(sio_send(pair[0], block, PIECE, 0) == PIECE);
    for (uint64_t i = 1; i <= 3; i++) {
        CHECK_ERR(sio_send(pair[0], block, PIECE, 0), EAGAIN);
        CHECK_OK(sio_info(pair[0], &info, sizeof info));
        CHECK(info.si_refused_sends == i && info.si_failed_sends == 0);
    }
    for (int i = 0; i < 2; i++)
        CHECK(event_wait(end.ec).ev_result == PIECE);
    CHECK_OK(sio_info(pair[0], &info, sizeof info));
    CHECK(info.si_sends == 2 && info.si_sent_bytes == 2 * PIECE && info.si_failed_sends == 0);

    /* With the peer gone, a send fails that was accepted. */
    close_with_reset(pair[1]);
    event_data_t event = { .ev_errno = 0 };
    while (event.ev_errno == 0) {
        CHECK(sio_send(pair[0], block, PIECE, 0) == PIECE);
        event = event_wait_for(end.ec, EC_EV_SENT, pair[0]);
    }
    CHECK_OK(sio_info(pair[0], &info, sizeof info));
    CHECK(info.si_failed_sends == 1 && info.si_refused_sends == 3);
    CHECK_OK(sio_release(end.area, block, PIECE));
    endpoint_close(&end);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
