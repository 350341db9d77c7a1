/* A socket in a channel: every accepted send has one EC_EV_SENT, in order, with buffer and size. */
#include "check.h"

#define SENDS 8
#define PIECE 500

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    unsigned char *block = block_new(end.area, SENDS * PIECE);
    pattern_fill(block, SENDS * PIECE, 0);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < SENDS; i++)
            CHECK_IS(sio_send(pair[0], block + i * PIECE, PIECE - i, 0), (int)(PIECE - i));
        for (size_t i = 0; i < SENDS; i++) {
            event_data_t event = event_wait(end.ec);
            CHECK(event.ev_type == EC_EV_SENT);
            CHECK(event.ev_fd == pair[0]);
            CHECK(event.ev_cookie == ENDPOINT_COOKIE);
            CHECK(event.ev_source == end.source);
            CHECK(event.ev_result == (int64_t)(PIECE - i));
            CHECK(event.ev_errno == 0);
            CHECK(event.ev_ptr == block + i * PIECE);
            CHECK(event.ev_len == PIECE - i);
            CHECK((event.ev_flags & ~EC_F_COPIED) == 0);
        }
        check_no_event(end.ec, 5);
        for (size_t i = 0; i < SENDS; i++) {
            if (pair_is_stream(kind))
                read_pattern(pair[1], PIECE - i, i * PIECE);
            else
                read_message(pair[1], PIECE - i, i * PIECE);
        }
    }
    CHECK_OK(sio_release(end.area, block, SENDS * PIECE));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
