/* A failed call changes nothing: with SIO_RELEASE too the block is still the program's. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    void *block = block_new(end.area, 100);
    pattern_fill(block, 100, 0);
    CHECK_ERR(sio_send(pair[0], block, 101, SIO_RELEASE), EFAULT);
    CHECK_ERR(sio_send(pair[0], block, 100, SIO_RELEASE | MSG_OOB), EOPNOTSUPP);
    CHECK_ERR(sio_send(pair[0], block, 100, SIO_RELEASE | MSG_PEEK), EINVAL);
    CHECK_ERR(sio_send(pair[0], block, (size_t)INT_MAX + 1, SIO_RELEASE), EINVAL);
    CHECK_PATTERN(block, 100, 0);
    endpoint_send(&end, block, 100, 0);
    read_message(pair[1], 100, 0);
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
