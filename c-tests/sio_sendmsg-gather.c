/*
 * sio_sendmsg sends the pieces of several blocks as one: the event has the first piece and the
 * whole length; header, vector and address may be reused as soon as the call returns.
 */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    unsigned char *block[2] = { block_new(end.area, 1000), block_new(end.area, 1000) };
    pattern_fill(block[0], 1000, 0);
    pattern_fill(block[1], 1000, 1000);
    for (int i = 0; i < 4; i++) {
        struct iovec parts[] = { { block[0] + 100, 200 }, { block[1], 0 }, { block[0] + 300, 700 },
                                 { block[1], 1000 } };
        struct msghdr message;
        memset(&message, 0, sizeof message);
        message.msg_iov = parts;
        message.msg_iovlen = 4;
        CHECK_IS(sio_sendmsg(pair[0], &message, sizeof message, 0), 1900);
        memset(parts, 0xff, sizeof parts);
        memset(&message, 0xff, sizeof message);
        if (attach == ATTACHED) {
            event_data_t event = event_wait(end.ec);
            CHECK(event.ev_type == EC_EV_SENT && event.ev_fd == pair[0]);
            CHECK(event.ev_result == 1900 && event.ev_errno == 0);
            CHECK(event.ev_ptr == block[0] + 100 && event.ev_len == 1900);
        }
        read_message(pair[1], 1900, 100);
    }
    CHECK_OK(sio_release(end.area, block[0], 1000));
    CHECK_OK(sio_release(end.area, block[1], 1000));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
