/* send_sio: sends parts of the blocks of an area with libsio for some seconds. What is under way
 * is bounded by a window, and a part is sent again only after its event has come.
 *
 *     send_sio tcp|udp HOST PORT BYTES SECONDS
 */
#include "../bench.h"
#include "../copies.h"

enum { BLOCKS = SEND_AREA_BYTES / SEND_BLOCK_BYTES };

int main(int argc, char **argv)
{
    unsigned long long accepted = 0, sent = 0, bytes = 0;
    event_data_t events[BATCH];
    char *blocks[BLOCKS];
    dma_mem_t area;

    if (argc < 6)
        errx(2, "usage: send_sio tcp|udp HOST PORT BYTES SECONDS");
    int sock = connect_to(argv[1], argv[2], argv[3]);
    size_t size = (size_t)atol(argv[4]), at = 0, block = 0;
    ec_t ec = check(ec_create(EC_SINGLE), "ec_create");
    check(dma_alloc(&area, SEND_AREA_BYTES, 0), "dma_alloc");
    check(dma_assoc(sock, area, 0, 0), "dma_assoc");
    check(ec_add_socket(ec, sock, 0, 0), "ec_add_socket");
    for (int i = 0; i < BLOCKS; i++) {
        void *address;
        check(sio_reserve(area, &address, SEND_BLOCK_BYTES), "sio_reserve");
        blocks[i] = memset(address, 'x', SEND_BLOCK_BYTES);
    }
    wait_for_go();
    double end = now() + atof(argv[5]);
    while (sent < accepted || now() < end) {
        bool over = now() >= end;
        while (!over && accepted - sent < SEND_WINDOW) {
            if (sio_send(sock, blocks[block] + at, size, 0) < 0) {
                check(errno == EAGAIN ? 0 : -1, "sio_send");
                break;
            }
            accepted++;
            at += size;
            if (at + size > SEND_BLOCK_BYTES) {
                at = 0;
                block = (block + 1) % BLOCKS;
            }
        }
        int n = check(ec_wait_events(ec, events, BATCH, NULL, NULL), "ec_wait_events");
        for (int i = 0; i < n; i++) {
            if (events[i].ev_errno)
                errx(1, "event %d: %s", events[i].ev_type, strerror(events[i].ev_errno));
            sent++;
            bytes += (unsigned long long)events[i].ev_result;
        }
    }
    count_copies(sock);
    tell_copies();
    done(sent, bytes);
}
