/* sio_sendto refuses addresses that are none, and what sio_send refuses. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    pair_open(kind, pair);
    CHECK(getsockname(pair[1], (struct sockaddr *)&address, &length) == 0);
    struct sockaddr *to = (struct sockaddr *)&address;
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    void *block = block_new(end.area, 100);

    CHECK_ERR(sio_sendto(pair[0], block, 10, 0, to, (socklen_t)-1), EINVAL);
    CHECK_ERR(sio_sendto(pair[0], block, 10, 0, to, sizeof address + 1), EINVAL);
    CHECK_ERR(sio_sendto(pair[0], block, 101, 0, to, length), EFAULT);
    CHECK_ERR(sio_sendto(pair[0], &address, 10, 0, to, length), EFAULT);
    CHECK_ERR(sio_sendto(pair[0], NULL, 10, 0, to, length), EFAULT);
    CHECK_ERR(sio_sendto(pair[0], block, (size_t)INT_MAX + 1, 0, to, length), EINVAL);
    CHECK_ERR(sio_sendto(pair[0], block, 10, MSG_OOB, to, length), EOPNOTSUPP);
    CHECK_ERR(sio_sendto(pair[0], block, 10, MSG_PEEK, to, length), EINVAL);
    check_silent(pair[1], 10);

    /* No address: as sio_send. */
    pattern_fill(block, 100, 0);
    CHECK_IS(sio_sendto(pair[0], block, 100, SIO_QUIET, NULL, 0), 100);
    if (attach == ATTACHED)
        CHECK_OK(ec_flush(end.ec));
    read_message(pair[1], 100, 0);
    CHECK_OK(sio_release(end.area, block, 100));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(UDP_PAIRS, run);
    return 0;
}
