/*
 * A listening socket that is taken out of the library while it is a source: who asked for attached
 * connections is told with each that it is not; who did not gets plain ones.
 */
#include "check.h"

static void run(enum pair_kind kind)
{
    for (int attach = 0; attach < 2; attach++) {
        const size_t size = 1 << 18;
        struct sockaddr_storage address;
        socklen_t length;
        int source;
        dma_mem_t area = area_new(size);
        ec_t ec = channel_new(0);
        int listener = listener_open(kind, &address, &length);

        CHECK_OK(dma_assoc(listener, area, 0, 0));
        CHECK_SET(source, ec_add_accept(ec, listener, attach ? EC_ATTACH : 0, 1));
        CHECK_OK(sio_detach(listener));
        int client = client_open(kind, &address, length);
        event_data_t event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_ACCEPT && event.ev_source == source);
        CHECK(event.ev_result >= 0 && event.ev_errno == (attach ? EINVAL : 0));
        CHECK_ERR(sio_detach((int)event.ev_result), EINVAL);

        CHECK(close((int)event.ev_result) == 0 && close(client) == 0);
        CHECK_OK(ec_destroy(ec));
        CHECK(close(listener) == 0);
        CHECK_OK(dma_free(area, size));
    }
}

int main(void)
{
    check_start();
    each_pair(CONNECTION_PAIRS, run);
    return 0;
}
