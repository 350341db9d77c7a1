/* One block goes to 64 sockets at once: a file served to many is one block. */
#include "check.h"

#define SOCKETS 64
#define SIZE 30000

int main(void)
{
    check_start();
    const size_t size = 1 << 20;
    dma_mem_t area = area_new(size);
    ec_t ec = channel_new(0);
    int sock[SOCKETS], peer[SOCKETS];
    void *block = block_new(area, SIZE);
    pattern_fill(block, SIZE, 0);
    for (int i = 0; i < SOCKETS; i++) {
        int pair[2], source;
        pair_open(i % 2 == 0 ? TCP4 : UNIX_STREAM, pair);
        sock[i] = pair[0];
        peer[i] = pair[1];
        CHECK_OK(dma_assoc(sock[i], area, 4096, 0));
        CHECK_SET(source, ec_add_socket(ec, sock[i], 0, (uint64_t)i));
    }
    for (int i = 0; i < SOCKETS; i++)
        CHECK_IS(sio_send(sock[i], block, SIZE, i % 4 == 3 ? SIO_QUIET : 0), SIZE);
    /* Released while it is being sent: free when the last one is done. */
    CHECK_OK(sio_release(area, block, SIZE));
    CHECK_OK(ec_flush(ec));
    for (int i = 0; i < SOCKETS; i++)
        read_pattern(peer[i], SIZE, 0);
    int told[SOCKETS] = { 0 };
    for (int i = 0; i < SOCKETS * 3 / 4; i++) {
        event_data_t event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_SENT && event.ev_cookie < SOCKETS);
        CHECK(event.ev_ptr == block && event.ev_result == SIZE);
        CHECK(event.ev_cookie % 4 != 3 && told[event.ev_cookie]++ == 0);
    }
    check_no_event(ec, 20);
    for (int i = 0; i < SOCKETS; i++) {
        CHECK_OK(sio_detach(sock[i]));
        CHECK(close(sock[i]) == 0);
    }
    CHECK_OK(dma_free(area, size));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
