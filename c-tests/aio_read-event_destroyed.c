/*
 * A channel that is destroyed while requests are under way: they go on, nobody is told, also not a
 * new channel of the same number, and nothing stays open.
 */
#include "aio_event.h"

int main(void)
{
    check_start();
    char in[2][16];
    struct aiocb blocks[2];
    int ends[2], before = 0;

    for (int round = 0; round < 3; round++) {
        ec_t ec = channel_new(0);
        pair_open(UNIX_DGRAM, ends);
        for (int i = 0; i < 2; i++) {
            blocks[i] = aio_told(ec, 1, ends[0], in[i], sizeof in[i]);
            CHECK_OK(aio_read(&blocks[i]));
        }
        /* Its event has come and is not fetched. */
        CHECK(write(ends[1], "a", 1) == 1);
        CHECK_DONE(&blocks[0], 1);
        CHECK_OK(ec_destroy(ec));
        ec_t other = channel_new(0);
        CHECK(other == ec);
        CHECK(write(ends[1], "bc", 2) == 2);
        CHECK_DONE(&blocks[1], 2);
        check_no_event(other, 20);
        /* The other one is told of its own. */
        blocks[0] = aio_told(other, 2, ends[0], in[0], sizeof in[0]);
        CHECK_OK(aio_read(&blocks[0]));
        CHECK(write(ends[1], "d", 1) == 1);
        check_next_told(other, &blocks[0], 1, 0);
        CHECK_OK(ec_destroy(other));
        CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
        if (round == 0)
            before = count_descriptors();
        CHECK(count_descriptors() == before);
    }
    return 0;
}
