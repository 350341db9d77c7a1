/* sio_sendto sends a datagram to the address that is given; the address may be reused at once. */
#include "check.h"

#define PEERS 3

static void run(enum pair_kind kind, enum attach attach)
{
    int peer[PEERS], sock = socket_new(kind);
    struct sockaddr_storage address[PEERS], own, to;
    socklen_t length[PEERS], own_length;
    CHECK(socket_bind(sock, kind, &own, &own_length) == 0);
    for (int i = 0; i < PEERS; i++) {
        peer[i] = socket_new(kind);
        CHECK(socket_bind(peer[i], kind, &address[i], &length[i]) == 0);
    }
    struct endpoint end = endpoint_open(sock, 1 << 16, attach);
    unsigned char *block = block_new(end.area, 300);
    pattern_fill(block, 300, 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PEERS; i++) {
            to = address[i];
            CHECK_IS(sio_sendto(sock, block + 50 * i, 100, 0, (struct sockaddr *)&to, length[i]),
                     100);
            memset(&to, 0xff, sizeof to);
        }
        for (int i = 0; attach == ATTACHED && i < PEERS; i++) {
            event_data_t event = event_wait(end.ec);
            CHECK(event.ev_type == EC_EV_SENT && event.ev_ptr == block + 50 * i);
            CHECK(event.ev_result == 100 && event.ev_len == 100);
        }
        for (int i = 0; i < PEERS; i++)
            read_message(peer[i], 100, 50 * (size_t)i);
    }
    CHECK_OK(sio_release(end.area, block, 300));
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
