/* A thread that waits in sio_recv learns at once that the socket is attached to a channel, and goes on there,
 * or that it is taken out of the library, though nothing arrives. */
#include "receivers.h"

static void run_until(enum pair_kind kind, int is_attached)
{
    int pair[2];
    ec_t ec;

    pair_open(kind, pair);
    dma_mem_t area = area_new(1 << 16);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    CHECK_SET(ec, ec_create(0));
    receivers_start(pair[0], area);
    if (is_attached) {
        CHECK(ec_add_socket(ec, pair[0], 0, 0) >= 0);
        /* What arrives now is the channel's, which has it for whoever asks. */
        receivers_get(pair[1], 10);
    }
    CHECK_OK(sio_detach(pair[0]));
    receivers_end();
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, 1 << 16));
    CHECK(close(pair[0]) == 0);
    CHECK(close(pair[1]) == 0);
}

static void run(enum pair_kind kind)
{
    run_until(kind, 0);
    run_until(kind, 1);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
