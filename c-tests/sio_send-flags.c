/* sio_send takes the flags of send(2) that mean something here: EOPNOTSUPP or EINVAL for others. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    static const int good[] = { 0, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_CONFIRM, MSG_DONTROUTE,
                                MSG_DONTWAIT | MSG_NOSIGNAL };
    static const int unsupported[] = { MSG_OOB, MSG_ZEROCOPY, MSG_FASTOPEN };
    const unsigned known = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_EOR | MSG_CONFIRM |
                           MSG_DONTROUTE | SIO_RELEASE | SIO_QUIET | MSG_OOB | MSG_ZEROCOPY |
                           MSG_FASTOPEN;
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    void *block = block_new(end.area, 100);
    pattern_fill(block, 100, 0);
    for (size_t i = 0; i < sizeof unsupported / sizeof unsupported[0]; i++) {
        CHECK_ERR(sio_send(pair[0], block, 100, unsupported[i]), EOPNOTSUPP);
        CHECK_ERR(sio_send(pair[0], block, 100, unsupported[i] | SIO_RELEASE), EOPNOTSUPP);
    }
    for (int bit = 0; bit < 32; bit++)
        if ((1u << bit & known) == 0)
            CHECK_ERR(sio_send(pair[0], block, 100, (int)(1u << bit)), EINVAL);
    check_silent(pair[1], 10);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        endpoint_send(&end, block, 100, good[i]);
        read_message(pair[1], 100, 0);
    }
    CHECK_OK(sio_release(end.area, block, 100));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
