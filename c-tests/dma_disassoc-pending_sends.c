/*
 * dma_disassoc finishes pending sends or tells them as failed: every accepted send has its event,
 * in order, and the peer gets exactly what is told as sent.
 */
#include "check.h"

#define SENDS 20
#define PIECE 1000

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    unsigned char *block = block_new(end.area, SENDS * PIECE);
    pattern_fill(block, SENDS * PIECE, 0);
    size_t sent = 0;
    for (int i = 0; i < SENDS; i++)
        CHECK_IS(sio_send(pair[0], block + i * PIECE, PIECE, 0), PIECE);
    CHECK_OK(dma_disassoc(pair[0], end.area, 0));
    for (int i = 0; i < SENDS; i++) {
        event_data_t event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_SENT && event.ev_fd == pair[0]);
        CHECK(event.ev_ptr == block + i * PIECE && event.ev_len == PIECE);
        CHECK(event.ev_result == PIECE || (event.ev_result == -1 && event.ev_errno != 0));
        if (event.ev_result == PIECE) {
            CHECK(sent == (size_t)i * PIECE);
            sent += PIECE;
        }
    }
    check_no_event(end.ec, 10);
    CHECK(close(pair[0]) == 0);
    read_pattern(pair[1], sent, 0);
    CHECK(close(pair[1]) == 0);
    CHECK_OK(sio_release(end.area, block, SENDS * PIECE));
    CHECK_OK(ec_destroy(end.ec));
    CHECK_OK(dma_free(end.area, end.size));
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
