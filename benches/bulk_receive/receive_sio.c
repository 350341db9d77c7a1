/* receive_sio: receives what some connections send, with libsio.
 *
 *     receive_sio CONNECTIONS BYTES
 */
#include "../bench.h"
#include "../copies.h"

int main(int argc, char **argv)
{
    unsigned long long requests = 0, bytes = 0;
    event_data_t events[BATCH];
    dma_mem_t area;

    if (argc < 3)
        errx(2, "usage: receive_sio CONNECTIONS BYTES");
    int connections = atoi(argv[1]);
    size_t size = (size_t)atol(argv[2]);
    ec_t ec = check(ec_create(EC_SINGLE), "ec_create");
    check(dma_alloc(&area, RECEIVE_AREA_BYTES, 0), "dma_alloc");
    int listener = listen_and_tell(0);
    check(dma_assoc(listener, area, 0, 0), "dma_assoc");
    check(ec_add_accept(ec, listener, EC_ATTACH | EC_NONBLOCK, 0), "ec_add_accept");
    while (connections > 0) {
        int n = check(ec_wait_events(ec, events, BATCH, NULL, NULL), "ec_wait_events");
        for (int i = 0; i < n; i++) {
            int sock = events[i].ev_fd;
            if (events[i].ev_errno)
                errx(1, "event %d: %s", events[i].ev_type, strerror(events[i].ev_errno));
            if (events[i].ev_type != EC_EV_RECV)
                continue;
            for (long long left = events[i].ev_result; left > 0;) {
                void *block;
                int got = check(sio_recv(sock, &block, size, 0), "sio_recv");
                check(got > 0 ? sio_release(area, block, (size_t)got) : 0, "sio_release");
                requests++;
                bytes += (unsigned)got;
                left -= got > 0 ? got : left;
            }
            if (events[i].ev_flags & EC_F_EOF) {
                count_copies(sock);
                check(sio_detach(sock), "sio_detach");
                close(sock);
                connections--;
            }
        }
    }
    tell_copies();
    done(requests, bytes);
}
