/*
 * A block that is released while it is being sent is not given to anybody before the last send
 * has completed: what arrives is what was in it.
 */
#include "check.h"

#define SIZE (1 << 20)
#define SENDS 16

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 4 << 20, ATTACHED);
    void *block = block_new(end.area, SIZE);
    pattern_fill(block, SIZE, 0);
    int accepted = 0;
    while (accepted < SENDS && sio_send(pair[0], block, SIZE, 0) == SIZE)
        accepted++;
    CHECK(accepted > 0);
    CHECK_OK(ec_flush(end.ec));
    CHECK_OK(sio_release(end.area, block, SIZE));
    CHECK_ERR(sio_release(end.area, block, SIZE), EINVAL);
    CHECK_ERR(sio_send(pair[0], block, SIZE, 0), EFAULT);

    /* Whatever can be reserved now is written over. */
    void *taken[256];
    int count = 0;
    while (count < 256 && sio_reserve(end.area, &taken[count], 1 << 16) == 0)
        memset(taken[count++], 0xff, 1 << 16);

    pid_t reader = child_start();
    if (reader == 0) {
        for (int i = 0; i < accepted; i++)
            read_pattern(pair[1], SIZE, 0);
        _exit(0);
    }
    for (int i = 0; i < accepted; i++) {
        event_data_t event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_SENT && event.ev_result == SIZE && event.ev_ptr == block);
    }
    child_end(reader);
    while (count-- > 0)
        CHECK_OK(sio_release(end.area, taken[count], 1 << 16));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
