/* Connections that were accepted and never fetched are closed by ec_destroy. */
#include "check.h"

static void run(enum pair_kind kind)
{
    for (unsigned round = 0; round < 10; round++) {
        struct sockaddr_storage address;
        socklen_t length;
        int client[5], source, before = count_descriptors();
        const size_t size = 1 << 18;
        dma_mem_t area = area_new(size);
        ec_t ec = channel_new(0);
        int listener = listener_open(kind, &address, &length);
        CHECK_OK(dma_assoc(listener, area, 4096, 0));
        CHECK_SET(source, ec_add_accept(ec, listener, round % 2 ? EC_ATTACH : 0, 1));
        for (int i = 0; i < 5; i++)
            client[i] = client_open(kind, &address, length);
        CHECK_OK(ec_delay(ec, NULL));
        CHECK_OK(ec_destroy(ec));
        CHECK_OK(sio_detach(listener));
        CHECK(close(listener) == 0);
        for (int i = 0; i < 5; i++) {
            char byte;
            ssize_t n = recv(client[i], &byte, 1, 0);
            CHECK(n == 0 || (n == -1 && errno == ECONNRESET));
            CHECK(close(client[i]) == 0);
        }
        CHECK_OK(dma_free(area, size));
        CHECK(count_descriptors() == before);
    }
}

int main(void)
{
    check_start();
    each_pair(CONNECTION_PAIRS, run);
    return 0;
}
