/*
 * A send far larger than the kernel's buffers: accepted at once, the rest goes while the program
 * waits for events, and one event tells the end. The reader is slow.
 */
#include "check.h"

#define SIZE (8 << 20)

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], SIZE + (1 << 20), ATTACHED);
    unsigned char *block = block_new(end.area, SIZE);
    pattern_fill(block, SIZE, 0);
    CHECK_IS(sio_send(pair[0], block, SIZE / 2, 0), SIZE / 2);
    CHECK_IS(sio_send(pair[0], block + SIZE / 2, SIZE / 2, 0), SIZE / 2);
    pid_t reader = child_start();
    if (reader == 0) {
        sleep_ms(20);
        read_pattern(pair[1], SIZE, 0);
        _exit(0);
    }
    for (size_t i = 0; i < 2; i++) {
        event_data_t event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_SENT);
        CHECK(event.ev_result == SIZE / 2);
        CHECK(event.ev_ptr == block + i * SIZE / 2);
    }
    child_end(reader);
    CHECK_OK(sio_release(end.area, block, SIZE));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
