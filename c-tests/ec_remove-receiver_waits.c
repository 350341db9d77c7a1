/* A thread that waits in sio_recv goes on waiting when the socket is taken out of its channel, which is
 * told of nothing more, and in the next channel. */
#include "receivers.h"

static void run(enum pair_kind kind)
{
    int pair[2], source;
    ec_t channels[2];

    pair_open(kind, pair);
    dma_mem_t area = area_new(1 << 16);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    for (int i = 0; i < 2; i++)
        CHECK_SET(channels[i], ec_create(0));
    CHECK_SET(source, ec_add_socket(channels[0], pair[0], 0, 0));
    receivers_start(pair[0], area);
    CHECK_OK(ec_remove(channels[0], source));
    receivers_asleep();
    receivers_get(pair[1], 10);
    CHECK_SET(source, ec_add_socket(channels[1], pair[0], 0, 0));
    receivers_get(pair[1], 20);
    CHECK_OK(ec_remove(channels[1], source));
    CHECK_SET(source, ec_add_socket(channels[0], pair[0], 0, 0));
    receivers_get(pair[1], 30);
    check_no_event(channels[1], 10);
    CHECK_OK(sio_detach(pair[0]));
    receivers_end();
    for (int i = 0; i < 2; i++)
        CHECK_OK(ec_destroy(channels[i]));
    CHECK_OK(dma_free(area, 1 << 16));
    CHECK(close(pair[0]) == 0);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
