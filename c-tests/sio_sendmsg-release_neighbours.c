/* SIO_RELEASE of a message with several pieces in one block leaves the blocks beside that one alone. */
#include "check.h"

#define BLOCKS 16
#define SIZE 512

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    char *block[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        block[i] = block_new(end.area, SIZE);
        pattern_fill(block[i], SIZE, 0);
    }
    for (int i = 1; i < BLOCKS - 1; i += 2) {
        struct iovec parts[] = { { block[i], 100 }, { block[i] + 100, 100 }, { block[i], 100 },
                                 { block[i], 0 } };
        struct msghdr message;
        memset(&message, 0, sizeof message);
        message.msg_iov = parts;
        message.msg_iovlen = 4;
        CHECK_IS(sio_sendmsg(pair[0], &message, sizeof message, SIO_RELEASE), 300);
        CHECK_ERR(sio_release(end.area, block[i], SIZE), EINVAL);
        if (attach == ATTACHED)
            CHECK(event_wait_for(end.ec, EC_EV_SENT, pair[0]).ev_result == 300);
        char data[300];
        for (size_t have = 0; have < sizeof data;) {
            ssize_t count = recv(pair[1], data + have, sizeof data - have, 0);
            CHECK(count > 0);
            have += (size_t)count;
        }
        CHECK_PATTERN(data, 200, 0);
        CHECK_PATTERN(data + 200, 100, 0);
    }
    for (int i = 0; i < BLOCKS; i++)
        if (i % 2 == 0 || i == BLOCKS - 1)
            CHECK_OK(sio_release(end.area, block[i], SIZE));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
