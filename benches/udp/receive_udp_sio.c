/* receive_udp_sio: receives datagrams with libsio: an event that there are some, then one after the
 * other, in the memory where they have arrived. */
#include "udp.h"
#include <sio.h>

int main(int argc, char **argv)
{
    enum { AREA_BYTES = 32 << 20 };
    volatile uint64_t *counter;
    event_data_t events[4];
    uint64_t sum = 0;
    dma_mem_t area;
    int sock = open_socket(argc, argv);

    counter = open_counter(argv);
    ec_t ec = check(ec_create(EC_SINGLE), "ec_create");
    check(dma_alloc(&area, AREA_BYTES, 0), "dma_alloc");
    check(dma_assoc(sock, area, 0, 0), "dma_assoc");
    check(ec_add_socket(ec, sock, 0, 0), "ec_add_socket");
    for (;;) {
        check(ec_wait_events(ec, events, 4, NULL, NULL), "ec_wait_events");
        uint64_t count = 0;
        void *datagram;
        int got;
        while ((got = sio_recv(sock, &datagram, PAYLOAD_BYTES_MAX, MSG_DONTWAIT)) >= 0) {
            sum += *(unsigned char *)datagram;
            check(sio_release(area, datagram, (size_t)got), "sio_release");
            if (++count == BATCH)
                break;
        }
        if (got < 0 && errno != EAGAIN)
            err(1, "sio_recv");
        counter[1] = sum;
        counter[0] += count;
    }
}
