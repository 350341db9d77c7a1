/* sio_recvmsg on connections: the data as it comes, in order; it can be sent back in place. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, attach);
    for (size_t round = 0; round < 20; round++) {
        write_message(pair[1], 1000, round);
        for (size_t at = 0; at < 1000;) {
            const void *got;
            int n;
            CHECK_SET(n, sio_recvmsg(pair[0], &got, sizeof(struct msghdr), 0));
            const struct msghdr *message = got;
            CHECK(n > 0 && message->msg_iovlen == 1);
            CHECK(message->msg_iov[0].iov_len == (size_t)n);
            CHECK(message->msg_controllen == 0);
            CHECK_PATTERN(message->msg_iov[0].iov_base, (size_t)n, round + at);
            endpoint_send(&end, message->msg_iov[0].iov_base, (size_t)n, 0);
            CHECK_OK(sio_release(end.area, (void *)(uintptr_t)got, sizeof *message));
            at += (size_t)n;
        }
        read_pattern(pair[1], 1000, round);
    }
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(CONNECTION_PAIRS, run);
    return 0;
}
