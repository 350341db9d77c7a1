/*
 * SIO_RELEASE gives away the blocks of empty pieces and of empty messages, too. A piece without memory
 * has none.
 */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    char *block[3];
    for (int i = 0; i < 3; i++)
        block[i] = block_new(end.area, 1000);
    struct iovec parts[] = { { block[0], 0 }, { block[1], 300 }, { NULL, 0 }, { block[2] + 999, 0 } };
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = parts;
    message.msg_iovlen = 4;
    pattern_fill(block[1], 300, 0);
    CHECK_IS(sio_sendmsg(pair[0], &message, sizeof message, SIO_RELEASE), 300);
    for (int i = 0; i < 3; i++)
        CHECK_ERR(sio_release(end.area, block[i], 1000), EINVAL);
    if (attach == ATTACHED)
        CHECK(event_wait(end.ec).ev_result == 300);
    read_message(pair[1], 300, 0);

    if (!pair_is_stream(kind)) {
        block[0] = block_new(end.area, 100);
        CHECK_IS(sio_send(pair[0], block[0], 0, SIO_RELEASE), 0);
        CHECK_ERR(sio_release(end.area, block[0], 100), EINVAL);
        if (attach == ATTACHED)
            CHECK(event_wait(end.ec).ev_result == 0);
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
