/* Connections that are accepted, served and closed leave no descriptor and no mapping behind. */
#include "check.h"

static ec_t ec;
static dma_mem_t area;
static int listener;
static struct sockaddr_storage address;
static socklen_t length;

static void body(void)
{
    int client = client_open(TCP4, &address, length);
    event_data_t event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_ACCEPT && event.ev_result >= 0 && event.ev_errno == 0);
    int sock = (int)event.ev_result;
    write_pattern(client, 100, 0);
    event = event_wait_for(ec, EC_EV_RECV, sock);
    void *piece;
    CHECK_IS(sio_recv(sock, &piece, 100, 0), 100);
    CHECK_IS(sio_send(sock, piece, 100, SIO_RELEASE), 100);
    event_wait_for(ec, EC_EV_SENT, sock);
    read_pattern(client, 100, 0);
    CHECK_OK(sio_detach(sock));
    CHECK(close(sock) == 0 && close(client) == 0);
}

int main(void)
{
    check_start();
    int source;
    ec = channel_new(0);
    area = area_new(1 << 20);
    listener = listener_open(TCP4, &address, &length);
    CHECK_OK(dma_assoc(listener, area, 65536, 0));
    CHECK_SET(source, ec_add_accept(ec, listener, EC_ATTACH, 1));
    check_no_leak(body, 32 * 1024);
    CHECK_OK(ec_remove(ec, source));
    CHECK_OK(sio_detach(listener));
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, 1 << 20));
    return 0;
}
