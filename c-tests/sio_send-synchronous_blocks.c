/* A socket in no channel: a send that is larger than the kernel's buffers waits for the reader. */
#include "check.h"

#define SIZE (8 << 20)

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], SIZE + (1 << 20), ALONE);
    void *block = block_new(end.area, SIZE);
    pattern_fill(block, SIZE, 0);
    pid_t reader = child_start();
    if (reader == 0) {
        sleep_ms(20);
        read_pattern(pair[1], SIZE, 0);
        _exit(0);
    }
    CHECK_IS(sio_send(pair[0], block, SIZE, 0), SIZE);
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
