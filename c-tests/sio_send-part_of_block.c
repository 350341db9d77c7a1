/* Any part of a block may be sent, in any order, several parts at once. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    static const struct {
        size_t from, size;
    } parts[] = { { 999, 1 }, { 0, 1 }, { 1, 998 }, { 500, 500 }, { 0, 1000 }, { 17, 3 } };
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    unsigned char *block = block_new(end.area, 1000);
    pattern_fill(block, 1000, 0);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        CHECK_IS(sio_send(pair[0], block + parts[i].from, parts[i].size, SIO_QUIET),
                 (int)parts[i].size);
    if (attach == ATTACHED)
        CHECK_OK(ec_flush(end.ec));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (pair_is_stream(kind))
            read_pattern(pair[1], parts[i].size, parts[i].from);
        else
            read_message(pair[1], parts[i].size, parts[i].from);
    }
    CHECK_OK(sio_release(end.area, block, 1000));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
