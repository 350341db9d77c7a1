/*
 * A peer that does not read: sends are accepted until EAGAIN, never blocked, though the socket is
 * blocking. When the peer reads, all that was accepted arrives, each send has its event, and
 * sending goes on.
 */
#include "check.h"

#define PIECE 4096

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, ALONE);
    end.ec = channel_new(EC_CAPACITY(8));
    CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], 0, 1));
    unsigned char *block = block_new(end.area, 4 * PIECE);
    pattern_fill(block, 4 * PIECE, 0);
    size_t accepted = 0, told = 0;
    event_data_t event;

    for (int refused = 0; refused < 3;) {
        CHECK(accepted < (size_t)1 << 28);
        errno = 0;
        int n = sio_send(pair[0], block + accepted % (4 * PIECE), PIECE, 0);
        CHECK(n == PIECE || (n == -1 && errno == EAGAIN));
        if (n == PIECE) {
            accepted += PIECE;
            refused = 0;
        } else {
            CHECK_OK(ec_flush(end.ec));
            sleep_ms(5);
            refused++;
        }
        while (ec_next_event(end.ec, &event) == 0) {
            CHECK(event.ev_type == EC_EV_SENT && event.ev_result == PIECE);
            CHECK(event.ev_ptr == block + told % (4 * PIECE));
            told += PIECE;
            refused = 0;
        }
    }
    CHECK(told < accepted);

    pid_t reader = child_start();
    if (reader == 0) {
        for (size_t at = 0; at < accepted + PIECE; at += PIECE)
            read_pattern(pair[1], PIECE, at % (4 * PIECE));
        _exit(0);
    }
    for (; told < accepted; told += PIECE) {
        event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_SENT && event.ev_result == PIECE);
        CHECK(event.ev_ptr == block + told % (4 * PIECE));
    }
    endpoint_send(&end, block + accepted % (4 * PIECE), PIECE, 0);
    child_end(reader);
    CHECK_OK(sio_release(end.area, block, 4 * PIECE));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
