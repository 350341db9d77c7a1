/* A thread that waits on a channel of its own, with frames from the wire, hears nothing of channels
 * that were destroyed before: no signal comes, and the wait does not end as if one had. */
#include "network.h"

enum { AREA = 1 << 20, ROUNDS = 50 };

int main(void)
{
    check_start();
    network_new();
    dma_mem_t area = area_of_frames(AREA);
    int sock;
    ec_t own;
    CHECK_SET(sock, sio_open_ethernet("va", FRAME_TYPE));
    CHECK_OK(dma_assoc(sock, area, 0, DMA_ENGINE_AF_XDP));
    CHECK_SET(own, ec_create(EC_SINGLE));
    CHECK(ec_add_socket(own, sock, 0, 1) >= 0);
    for (int i = 0; i < ROUNDS; i++) {
        ec_t other;
        event_data_t event;
        struct timespec moment = milliseconds(20);
        CHECK_SET(other, ec_create(i % 2 ? EC_SINGLE : 0));
        post_user(other, 1);
        event_wait(other);
        CHECK_OK(ec_destroy(other));
        CHECK_ERR(ec_wait_events(own, &event, 1, &moment, NULL), ETIMEDOUT);
    }
    CHECK_OK(sio_detach(sock));
    CHECK_OK(ec_destroy(own));
    CHECK_OK(dma_free(area, AREA));
    return 0;
}
