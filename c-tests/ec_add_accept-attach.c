/*
 * EC_ATTACH on an associated listening socket: each accepted socket has the area and is in the
 * channel, with the same cookie, with no further call.
 */
#include "check.h"

#define CLIENTS 8
#define COOKIE 0x7654321

static void run(enum pair_kind kind)
{
    ec_t ec = channel_new(0);
    const size_t size = 1 << 20;
    dma_mem_t area = area_new(size);
    int client[CLIENTS], accepted[CLIENTS], source;
    struct sockaddr_storage address;
    socklen_t length;
    int listener = listener_open(kind, &address, &length);
    CHECK_OK(dma_assoc(listener, area, 65536, 0));
    CHECK_SET(source, ec_add_accept(ec, listener, EC_ATTACH | EC_NONBLOCK, COOKIE));

    for (int i = 0; i < CLIENTS; i++) {
        client[i] = client_open(kind, &address, length);
        event_data_t event = event_wait_for(ec, EC_EV_ACCEPT, listener);
        CHECK(event.ev_errno == 0 && event.ev_source == source && event.ev_cookie == COOKIE);
        accepted[i] = (int)event.ev_result;
        write_message(client[i], 700, (size_t)i);
    }
    int seen[CLIENTS] = { 0 };
    for (int all = 0; all < CLIENTS;) {
        event_data_t event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_RECV && event.ev_cookie == COOKIE);
        CHECK(event.ev_result > 0 && event.ev_errno == 0);
        int i = 0;
        while (i < CLIENTS && accepted[i] != event.ev_fd)
            i++;
        CHECK(i < CLIENTS);
        void *piece;
        int n;
        CHECK_SET(n, sio_recv(event.ev_fd, &piece, 700, 0));
        CHECK(n > 0);
        CHECK_PATTERN(piece, (size_t)n, (size_t)(i + seen[i]));
        seen[i] += n;
        CHECK_IS(sio_send(event.ev_fd, piece, (size_t)n, SIO_RELEASE | SIO_QUIET), n);
        all += seen[i] == 700;
    }
    CHECK_OK(ec_flush(ec));
    for (int i = 0; i < CLIENTS; i++)
        read_pattern(client[i], 700, (size_t)i);

    for (int i = 0; i < CLIENTS; i++) {
        CHECK_OK(sio_detach(accepted[i]));
        CHECK(close(accepted[i]) == 0 && close(client[i]) == 0);
    }
    CHECK_OK(ec_remove(ec, source));
    CHECK_OK(sio_detach(listener));
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, size));
    CHECK(close(listener) == 0);
}

int main(void)
{
    check_start();
    each_pair(CONNECTION_PAIRS, run);
    return 0;
}
