/*
 * Several channels with requests under way: each tells its own, whoever takes the ends in. One with
 * nothing to come is not woken for ever by the requests of others.
 */
#include "aio_event.h"

#define CHANNELS 3

int main(void)
{
    check_start();
    char in[CHANNELS + 1][16];
    struct aiocb blocks[CHANNELS + 1];
    int ends[CHANNELS + 1][2];
    ec_t ecs[CHANNELS];
    for (int i = 0; i < CHANNELS; i++)
        ecs[i] = channel_new(i == 1 ? EC_SINGLE : 0);
    for (int i = 0; i <= CHANNELS; i++)
        pair_open(UNIX_STREAM, ends[i]);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i <= CHANNELS; i++) {
            blocks[i] = aio_block(ends[i][0], in[i], sizeof in[i], 0);
            if (i < CHANNELS)
                blocks[i].aio_sigevent = to_channel(ecs[i], (uintptr_t)i);
            CHECK_OK(aio_read(&blocks[i]));
        }
        for (int i = 0; i <= CHANNELS; i++)
            CHECK(write(ends[i][1], "abc", (size_t)i % 3 + 1) == i % 3 + 1);
        for (int i = CHANNELS; i-- > 0;)
            check_next_told(ecs[i], &blocks[i], i % 3 + 1, 0);
        CHECK_DONE(&blocks[CHANNELS], 1);
        for (int i = 0; i < CHANNELS; i++)
            check_no_event(ecs[i], 5);
    }
    /* One that no channel tells of ends, and nobody asks. */
    CHECK_OK(aio_read(&blocks[CHANNELS]));
    CHECK(write(ends[CHANNELS][1], "x", 1) == 1);
    for (int i = 0; i < CHANNELS; i++) {
        check_no_event(ecs[i], 5);
        check_silent(ecs[i], 5);
    }
    CHECK_DONE(&blocks[CHANNELS], 1);
    /* A source beside it is not missed. */
    for (int i = 0; i < CHANNELS; i++) {
        event_data_t event;
        int source;
        CHECK_SET(source, ec_add_fd(ecs[i], ends[0][0], POLLIN, 0, 1));
        CHECK_OK(aio_read(&blocks[CHANNELS]));
        CHECK(write(ends[CHANNELS][1], "x", 1) == 1);
        CHECK(write(ends[0][1], "x", 1) == 1);
        CHECK_OK(ec_next_event(ecs[i], &event));
        CHECK(event.ev_type == EC_EV_FD);
        CHECK(read(ends[0][0], in[0], 1) == 1);
        CHECK_DONE(&blocks[CHANNELS], 1);
        CHECK_OK(ec_destroy(ecs[i]));
    }
    return 0;
}
