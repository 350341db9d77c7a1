/*
 * After ec_destroy the sockets that were in the channel are associated still, in no channel, and
 * can go into another one.
 */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2], source;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    CHECK_OK(ec_destroy(end.ec));

    end.ec = -1;
    unsigned char *block = block_new(end.area, 100);
    pattern_fill(block, 100, 3);
    CHECK_IS(sio_send(pair[0], block, 100, 0), 100);
    read_message(pair[1], 100, 3);

    end.ec = channel_new(0);
    CHECK_SET(source, ec_add_socket(end.ec, pair[0], 0, 2));
    endpoint_send(&end, block, 100, SIO_RELEASE);
    read_message(pair[1], 100, 3);
    write_message(pair[1], 50, 7);
    endpoint_wait(&end);
    endpoint_read_pattern(&end, 50, 7);
    CHECK_OK(ec_remove(end.ec, source));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
