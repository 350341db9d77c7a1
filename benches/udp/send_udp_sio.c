/* send_udp_sio: sends small datagrams with libsio: each block again as soon as it was sent. */
#include "udp.h"
#include <sio.h>

int main(int argc, char **argv)
{
    enum { AREA_BYTES = 32 << 20, BLOCKS = 4 * SEND_BATCH };
    volatile uint64_t *counter;
    event_data_t events[SEND_BATCH];
    dma_mem_t area;
    int sock = open_sender(argc, argv);

    counter = open_counter(argv);
    ec_t ec = check(ec_create(EC_SINGLE), "ec_create");
    check(dma_alloc(&area, AREA_BYTES, 0), "dma_alloc");
    check(dma_assoc(sock, area, 0, 0), "dma_assoc");
    check(ec_add_socket(ec, sock, 0, 0), "ec_add_socket");
    for (int i = 0; i < BLOCKS; i++) {
        void *block;
        check(sio_reserve(area, &block, SENT_BYTES), "sio_reserve");
        memset(block, 1, SENT_BYTES);
        check(sio_send(sock, block, SENT_BYTES, 0), "sio_send");
    }
    for (;;) {
        int count = check(ec_wait_events(ec, events, SEND_BATCH, NULL, NULL), "ec_wait_events");
        int sent = 0;
        for (int i = 0; i < count; i++) {
            if (events[i].ev_type != EC_EV_SENT)
                continue;
            if (events[i].ev_result < 0)
                errx(1, "send: %s", strerror(events[i].ev_errno));
            check(sio_send(sock, events[i].ev_ptr, SENT_BYTES, 0), "sio_send");
            sent++;
        }
        counter[0] += (unsigned)sent;
    }
}
