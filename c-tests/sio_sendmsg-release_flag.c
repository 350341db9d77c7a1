/* SIO_RELEASE with sio_sendmsg gives away every block that a piece of the message lies in. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    for (size_t i = 0; i < 200; i++) {
        unsigned char *block[2] = { block_new(end.area, 1000), block_new(end.area, 1000) };
        struct iovec parts[] = { { block[0], 300 }, { block[1], 300 }, { block[0] + 600, 300 } };
        struct msghdr message;
        memset(&message, 0, sizeof message);
        message.msg_iov = parts;
        message.msg_iovlen = 3;
        pattern_fill(block[0], 1000, i);
        pattern_fill(block[1], 300, i + 300);
        CHECK_IS(sio_sendmsg(pair[0], &message, sizeof message, SIO_RELEASE), 900);
        CHECK_ERR(sio_release(end.area, block[0], 1000), EINVAL);
        CHECK_ERR(sio_release(end.area, block[1], 1000), EINVAL);
        if (attach == ATTACHED)
            CHECK(event_wait(end.ec).ev_result == 900);
        read_message(pair[1], 900, i);
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
