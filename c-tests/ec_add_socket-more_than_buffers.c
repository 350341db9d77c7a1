/*
 * Data wait on many more sockets than the area has room for buffers: each socket has its turn, in
 * every round, and nobody is forgotten.
 */
#include "check.h"

#define SOCKETS 300
#define ROUNDS 3
#define BYTES 100

static int client[SOCKETS], server[SOCKETS];

static int index_of(int fd)
{
    for (int i = 0; i < SOCKETS; i++)
        if (server[i] == fd)
            return i;
    return -1;
}

int main(void)
{
    check_start();
    /* Room for sixteen buffers at a time. */
    const size_t size = 1 << 20;
    ec_t ec = channel_new(EC_CAPACITY(9));
    dma_mem_t area = area_new(size);

    for (int i = 0; i < SOCKETS; i++) {
        int pair[2];
        pair_open(TCP4, pair);
        client[i] = pair[0];
        server[i] = pair[1];
        CHECK_OK(dma_assoc(server[i], area, 0, 0));
        CHECK(ec_add_socket(ec, server[i], 0, 0) >= 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        int has[SOCKETS] = { 0 };
        for (int i = 0; i < SOCKETS; i++)
            write_pattern(client[i], BYTES, (size_t)(i + round));
        for (int all = 0; all < SOCKETS;) {
            event_data_t event = event_wait(ec);
            int i = index_of(event.ev_fd), n;
            CHECK(event.ev_type == EC_EV_RECV && event.ev_errno == 0 && i >= 0);
            void *piece;
            CHECK_SET(n, sio_recv(event.ev_fd, &piece, BYTES, 0));
            CHECK(n > 0 && has[i] + n <= BYTES);
            CHECK_PATTERN(piece, (size_t)n, (size_t)(i + round + has[i]));
            has[i] += n;
            CHECK_OK(sio_release(area, piece, (size_t)n));
            all += has[i] == BYTES;
        }
    }
    for (int i = 0; i < SOCKETS; i++) {
        CHECK_OK(sio_detach(server[i]));
        CHECK(close(server[i]) == 0 && close(client[i]) == 0);
    }
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, size));
    return 0;
}
