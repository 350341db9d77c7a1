/* 100 sockets with one area in one channel, echoing: every byte comes back to its own sender. */
#include "check.h"

#define SOCKETS 100
#define BYTES 20000

int main(void)
{
    check_start();
    static int sock[SOCKETS], peer[SOCKETS];
    static size_t echoed[SOCKETS];
    const size_t size = 8 << 20;
    dma_mem_t area = area_new(size);
    ec_t ec = channel_new(0);
    for (int i = 0; i < SOCKETS; i++) {
        int pair[2], source;
        pair_open(i % 3 == 0 ? UNIX_STREAM : TCP4, pair);
        sock[i] = pair[0];
        peer[i] = pair[1];
        CHECK_OK(dma_assoc(sock[i], area, 65536, 0));
        CHECK_SET(source, ec_add_socket(ec, sock[i], 0, (uint64_t)i));
    }
    for (int i = 0; i < SOCKETS; i++)
        write_pattern(peer[i], BYTES, (size_t)i);
    for (size_t all = 0; all < (size_t)SOCKETS * BYTES;) {
        event_data_t event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_RECV && event.ev_cookie < SOCKETS);
        size_t i = (size_t)event.ev_cookie;
        void *piece;
        int n;
        CHECK(event.ev_fd == sock[i] && event.ev_result > 0);
        CHECK_SET(n, sio_recv(sock[i], &piece, BYTES, 0));
        CHECK(n > 0);
        CHECK_PATTERN(piece, (size_t)n, i + echoed[i]);
        CHECK_IS(sio_send(sock[i], piece, (size_t)n, SIO_RELEASE | SIO_QUIET), n);
        echoed[i] += (size_t)n;
        all += (size_t)n;
    }
    CHECK_OK(ec_flush(ec));
    for (int i = 0; i < SOCKETS; i++)
        read_pattern(peer[i], BYTES, (size_t)i);
    for (int i = 0; i < SOCKETS; i++) {
        CHECK_OK(sio_detach(sock[i]));
        CHECK(close(sock[i]) == 0);
    }
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, size));
    return 0;
}
