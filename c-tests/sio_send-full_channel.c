/*
 * A send needs a place in the channel for its event: a full channel refuses it with EAGAIN and
 * nothing is changed; what was accepted is told.
 */
#include "check.h"

#define CAPACITY 16

static void run(enum pair_kind kind)
{
    int pair[2];
    event_data_t event = user_event(0);
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    end.ec = channel_new(EC_CAPACITY(4));
    CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], 0, 1));
    unsigned char *block = block_new(end.area, 10);
    pattern_fill(block, 10, 0);

    /* Posted events fill it. */
    for (uint64_t i = 0; i < CAPACITY; i++)
        post_user(end.ec, i);
    CHECK_ERR(sio_send(pair[0], block, 10, 0), EAGAIN);
    CHECK_ERR(sio_send(pair[0], block, 10, SIO_RELEASE), EAGAIN);
    CHECK_ERR(sio_send(pair[0], block, 10, SIO_QUIET), EAGAIN);
    check_silent(pair[1], 10);
    for (uint64_t i = 0; i < CAPACITY; i++)
        CHECK(event_wait(end.ec).ev_cookie == i);

    /* Accepted sends fill it, as long as their events are not fetched. */
    for (int i = 0; i < CAPACITY; i++) {
        CHECK_IS(sio_send(pair[0], block, 10, 0), 10);
        if (pair_is_stream(kind) || i < 4)
            continue;
        /* Message queues of the kernel are short: keep them empty. */
        CHECK_OK(ec_flush(end.ec));
        read_message(pair[1], 10, 0);
    }
    CHECK_ERR(sio_send(pair[0], block, 10, 0), EAGAIN);
    CHECK_ERR(ec_post(end.ec, &event), EAGAIN);
    CHECK_OK(ec_flush(end.ec));
    if (pair_is_stream(kind))
        for (int i = 0; i < CAPACITY; i++)
            read_pattern(pair[1], 10, 0);
    else
        for (int i = 0; i < 4; i++)
            read_message(pair[1], 10, 0);
    CHECK_ERR(sio_send(pair[0], block, 10, 0), EAGAIN);
    for (int i = 0; i < CAPACITY; i++) {
        event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_SENT && event.ev_result == 10 && event.ev_ptr == block);
    }
    check_no_event(end.ec, 5);
    endpoint_send(&end, block, 10, SIO_RELEASE);
    read_message(pair[1], 10, 0);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
