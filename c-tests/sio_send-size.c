/* A size of 0 is EINVAL on a stream, an empty message elsewhere; more than INT_MAX is EINVAL. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    char *block = block_new(end.area, 100);
    CHECK_ERR(sio_send(pair[0], block, (size_t)INT_MAX + 1, 0), EINVAL);
    CHECK_ERR(sio_send(pair[0], block, SIZE_MAX, 0), EINVAL);
    if (pair_is_stream(kind)) {
        CHECK_ERR(sio_send(pair[0], block, 0, 0), EINVAL);
        CHECK_ERR(sio_send(pair[0], block, 0, SIO_RELEASE), EINVAL);
        check_silent(pair[1], 10);
    } else {
        char byte;
        endpoint_send(&end, block, 0, 0);
        CHECK(recv(pair[1], &byte, 1, 0) == 0);
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
