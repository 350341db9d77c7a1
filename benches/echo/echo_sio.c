/* echo_sio: a TCP echo server with libsio. The block that arrived is the block that is sent back.
 * A line on stdin asks what was copied.
 *
 *     echo_sio single|shared
 */
#include "../bench.h"
#include "../copies.h"
#include <poll.h>

enum { AREA_BYTES = 64 << 20, DESCRIPTORS = 65536 };

static bool open_sockets[DESCRIPTORS];

static void echo(const event_data_t *e)
{
    int sock = e->ev_fd;
    void *block;

    /* The event says how much there is: nobody has to ask until there is no more. */
    for (long long left = e->ev_result; left > 0;) {
        int size = sio_recv(sock, &block, (size_t)left, 0);
        if (size <= 0)
            break;
        check(sio_send(sock, block, (size_t)size, SIO_RELEASE | SIO_QUIET), "sio_send");
        left -= size;
    }
    if (e->ev_errno || (e->ev_flags & EC_F_EOF)) {
        count_copies(sock);
        open_sockets[sock] = false;
        sio_detach(sock);
        close(sock);
    }
}

static void asked(void)
{
    char line[16];

    if (read(STDIN_FILENO, line, sizeof line) <= 0)
        exit(0); /* the runner has gone */
    for (int sock = 0; sock < DESCRIPTORS; sock++)
        if (open_sockets[sock])
            count_copies(sock);
    tell_copies();
}

int main(int argc, char **argv)
{
    unsigned flags = argc > 1 && strcmp(argv[1], "single") == 0 ? EC_SINGLE : 0;
    event_data_t events[BATCH];
    dma_mem_t area;
    ec_t ec = check(ec_create(flags | EC_CAPACITY(16)), "ec_create");

    check(dma_alloc(&area, AREA_BYTES, 0), "dma_alloc");
    int listener = listen_and_tell(0);
    check(dma_assoc(listener, area, 0, 0), "dma_assoc");
    check(ec_add_accept(ec, listener, EC_ATTACH | EC_NONBLOCK, 0), "ec_add_accept");
    check(ec_add_fd(ec, STDIN_FILENO, POLLIN, 0, 0), "ec_add_fd");
    for (;;) {
        int n = check(ec_wait_events(ec, events, BATCH, NULL, NULL), "ec_wait_events");
        for (int i = 0; i < n; i++) {
            const event_data_t *e = &events[i];
            if (e->ev_type == EC_EV_RECV)
                echo(e);
            else if (e->ev_type == EC_EV_FD)
                asked();
            else if (e->ev_errno)
                errx(1, "event %d: %s", e->ev_type, strerror(e->ev_errno));
            else if (e->ev_type == EC_EV_ACCEPT && e->ev_result < DESCRIPTORS)
                open_sockets[e->ev_result] = true;
        }
    }
}
