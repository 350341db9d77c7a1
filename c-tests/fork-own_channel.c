/* A child can make channels, areas and associations of its own, and a child of it again. */
#include "check.h"

static void serve(int generations)
{
    int pair[2];
    pair_open(TCP4, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    void *block = block_new(end.area, 500);
    pattern_fill(block, 500, 1);
    CHECK_IS(sio_send(pair[0], block, 500, 0), 500);

    if (generations > 0) {
        pid_t child = child_start();
        if (child == 0) {
            event_data_t event;
            CHECK_ERR(ec_next_event(end.ec, &event), EPERM);
            CHECK_ERR(dma_free(end.area, end.size), EPERM);
            serve(generations - 1);
            exit(0);
        }
        child_end(child);
    }

    CHECK(event_wait_for(end.ec, EC_EV_SENT, pair[0]).ev_result == 500);
    read_pattern(pair[1], 500, 1);
    write_pattern(pair[1], 300, 2);
    endpoint_read_pattern(&end, 300, 2);
    CHECK_OK(sio_release(end.area, block, 500));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    serve(3);
    return 0;
}
