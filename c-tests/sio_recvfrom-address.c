/* sio_recvfrom tells who has sent each datagram, in and out of a channel. */
#include "check.h"

#define PEERS 3

static void run(enum pair_kind kind, enum attach attach)
{
    int peer[PEERS], sock = socket_new(kind);
    struct sockaddr_storage address[PEERS], own;
    socklen_t length[PEERS], own_length;
    CHECK(socket_bind(sock, kind, &own, &own_length) == 0);
    for (int i = 0; i < PEERS; i++) {
        peer[i] = socket_new(kind);
        CHECK(socket_bind(peer[i], kind, &address[i], &length[i]) == 0);
        CHECK(connect(peer[i], (struct sockaddr *)&own, own_length) == 0);
    }
    struct endpoint end = endpoint_open(sock, 1 << 16, attach);
    for (size_t i = 0; i < 3 * PEERS; i++) {
        struct sockaddr_storage from;
        const void *piece;
        write_message(peer[i % PEERS], 100, i);
        memset(&from, 0xee, sizeof from);
        CHECK_IS(sio_recvfrom(sock, &piece, 100, 0, (struct sockaddr *)&from, sizeof from), 100);
        CHECK_PATTERN(piece, 100, i);
        CHECK(memcmp(&from, &address[i % PEERS], length[i % PEERS]) == 0);
        /* An answer goes back by the same address, from the same memory. */
        CHECK_IS(sio_sendto(sock, piece, 100, SIO_RELEASE | SIO_QUIET, (struct sockaddr *)&from,
                            length[i % PEERS]), 100);
        if (attach == ATTACHED)
            CHECK_OK(ec_flush(end.ec));
        read_message(peer[i % PEERS], 100, i);
    }
    endpoint_close(&end);
    for (int i = 0; i < PEERS; i++)
        CHECK(close(peer[i]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(DATAGRAM_PAIRS, run);
    return 0;
}
