/* Without EC_ATTACH, accepted sockets inherit the area of the listening one, in no channel. */
#include "check.h"

static void run(enum pair_kind kind)
{
    ec_t ec = channel_new(0);
    const size_t size = 1 << 18;
    dma_mem_t area = area_new(size);
    int source;
    struct sockaddr_storage address;
    struct sio_info info;
    socklen_t length;
    int listener = listener_open(kind, &address, &length);
    CHECK_OK(dma_assoc(listener, area, 0, 0));
    CHECK_SET(source, ec_add_accept(ec, listener, 0, 1));
    int client = client_open(kind, &address, length);
    event_data_t event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_ACCEPT && event.ev_source == source && event.ev_errno == 0);
    int sock = (int)event.ev_result;

    CHECK_OK(sio_info(sock, &info, sizeof info));
    CHECK_ERR(dma_assoc(sock, area, 0, 0), EBUSY);
    write_message(client, 300, 2);
    void *piece;
    CHECK_IS(sio_recv(sock, &piece, 300, 0), 300);
    CHECK_PATTERN(piece, 300, 2);
    CHECK_IS(sio_send(sock, piece, 300, SIO_RELEASE), 300);
    read_pattern(client, 300, 2);
    check_no_event(ec, 20);

    /* It can be put into any channel afterwards. */
    int attached;
    CHECK_SET(attached, ec_add_socket(ec, sock, 0, 3));
    write_message(client, 10, 4);
    event = event_wait_for(ec, EC_EV_RECV, sock);
    CHECK(event.ev_cookie == 3 && event.ev_source == attached);

    CHECK_OK(sio_detach(sock));
    CHECK_OK(sio_detach(listener));
    CHECK(close(sock) == 0 && close(client) == 0 && close(listener) == 0);
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, size));
}

int main(void)
{
    check_start();
    each_pair(CONNECTION_PAIRS, run);
    return 0;
}
