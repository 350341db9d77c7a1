/*
 * sio_detach cancels, disassociates and purges: no event of the socket comes any more, received
 * data is discarded, the blocks come back, and the channel goes on.
 */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    struct sio_info info;
    event_data_t event;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, ATTACHED);
    void *block = block_new(end.area, 5000), *given = block_new(end.area, 5000);
    write_message(pair[1], 100, 0);
    CHECK(event_wait(end.ec).ev_type == EC_EV_RECV);
    CHECK_IS(sio_send(pair[0], block, 5000, 0), 5000);
    CHECK_IS(sio_send(pair[0], given, 5000, SIO_RELEASE), 5000);
    CHECK_OK(ec_delay(end.ec, NULL));
    CHECK_OK(sio_detach(pair[0]));

    check_no_event(end.ec, 10);
    CHECK_ERR(ec_remove(end.ec, end.source), ENOENT);
    CHECK_ERR(sio_detach(pair[0]), EINVAL);
    CHECK_ERR(sio_info(pair[0], &info, sizeof info), EINVAL);
    CHECK_ERR(sio_send(pair[0], block, 10, 0), EINVAL);
    CHECK_OK(sio_release(end.area, block, 5000));
    CHECK_OK(dma_free(end.area, end.size));
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    post_user(end.ec, 1);
    CHECK_OK(ec_next_event(end.ec, &event));
    CHECK_OK(ec_destroy(end.ec));
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
