/* Associated sockets that come and go, with data under way, leave nothing behind. */
#include "check.h"

static enum attach with;
static enum pair_kind of_kind;

static void body(void)
{
    int pair[2];
    pair_open(of_kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, with);
    void *block = block_new(end.area, 1000);
    pattern_fill(block, 1000, 0);
    endpoint_send(&end, block, 1000, SIO_RELEASE);
    read_message(pair[1], 1000, 0);
    write_message(pair[1], 100, 0);
    write_message(pair[1], 100, 0);
    void *piece;
    CHECK_IS(sio_recv(pair[0], &piece, 100, 0), 100);
    CHECK_OK(sio_release(end.area, piece, 100));
    /* The second message is discarded. */
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

static void run(enum pair_kind kind, enum attach attach)
{
    with = attach;
    of_kind = kind;
    check_no_leak(body, 1 << 17);
}

int main(void)
{
    check_start();
    each_pair_attached(1u << TCP4 | 1u << UDP4 | 1u << UNIX_SEQPACKET, run);
    return 0;
}
