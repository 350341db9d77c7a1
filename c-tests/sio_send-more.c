/* MSG_MORE and MSG_EOR as in send(2): with MSG_MORE two pieces of a datagram become one. */
#include "check.h"

static void datagrams(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    unsigned char *block = block_new(end.area, 100);
    pattern_fill(block, 100, 0);
    CHECK_IS(sio_send(pair[0], block, 40, MSG_MORE | SIO_QUIET), 40);
    if (attach == ATTACHED)
        CHECK_OK(ec_flush(end.ec));
    check_silent(pair[1], 20);
    endpoint_send(&end, block + 40, 60, 0);
    read_message(pair[1], 100, 0);
    CHECK_OK(sio_release(end.area, block, 100));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

static void streams(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    unsigned char *block = block_new(end.area, 100);
    pattern_fill(block, 100, 0);
    CHECK_IS(sio_send(pair[0], block, 40, MSG_MORE | SIO_QUIET), 40);
    CHECK_IS(sio_send(pair[0], block + 40, 60, MSG_EOR | SIO_QUIET | SIO_RELEASE), 60);
    if (attach == ATTACHED)
        CHECK_OK(ec_flush(end.ec));
    read_pattern(pair[1], 100, 0);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

static void each_datagram(enum pair_kind kind)
{
    each_attach(kind, datagrams);
}

static void each_stream(enum pair_kind kind)
{
    each_attach(kind, streams);
}

int main(void)
{
    check_start();
    each_pair(UDP_PAIRS, each_datagram);
    each_pair(STREAM_PAIRS, each_stream);
    return 0;
}
