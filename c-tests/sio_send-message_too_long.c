/* A datagram that is too long for the protocol: EMSGSIZE; the largest one goes. */
#include "check.h"

#define LARGEST_UDP4 65507
#define LARGEST_UDP6 65527

static void run(enum pair_kind kind, enum attach attach)
{
    const size_t largest = kind == UDP4 ? LARGEST_UDP4 : LARGEST_UDP6;
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, attach);
    unsigned char *block = block_new(end.area, 70000);
    pattern_fill(block, 70000, 0);
    endpoint_send_fails(&end, block, largest + 1, 0, EMSGSIZE, EMSGSIZE);
    endpoint_send_fails(&end, block, 70000, 0, EMSGSIZE, EMSGSIZE);
    endpoint_send(&end, block, largest, 0);
    read_message(pair[1], largest, 0);
    CHECK_OK(sio_release(end.area, block, 70000));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(UDP_PAIRS, run);
    return 0;
}
