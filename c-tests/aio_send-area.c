/*
 * Sends from a DMA area, to a peer on this host and to one that looks as if it were elsewhere, where
 * the kernel is asked not to copy: everything arrives, and when a request has ended its memory may
 * be written again, although the peer has not received it yet.
 */
#include "aio_cb.h"

#include <ifaddrs.h>
#include <net/if.h>

#define PIECE (256 << 10)
#define PIECES 8

/* An address of this host that is none of the loopback interface. */
static int find_address(struct sockaddr_in *address)
{
    struct ifaddrs *list;
    int found = 0;
    CHECK(getifaddrs(&list) == 0);
    for (struct ifaddrs *each = list; each != NULL && !found; each = each->ifa_next) {
        if (each->ifa_addr == NULL || each->ifa_addr->sa_family != AF_INET)
            continue;
        *address = *(struct sockaddr_in *)(void *)each->ifa_addr;
        found = (each->ifa_flags & IFF_UP) && ntohl(address->sin_addr.s_addr) >> 24 != 127;
    }
    freeifaddrs(list);
    return found;
}

static int listener;

static void *receive(void *argument)
{
    int sock = accept(listener, NULL, NULL);
    (void)argument;
    CHECK(sock >= 0);
    for (int i = 0; i < PIECES; i++)
        read_pattern(sock, PIECE, (size_t)i * 1000);
    char byte;
    CHECK(recv(sock, &byte, 1, 0) == 0);
    CHECK(close(sock) == 0);
    return NULL;
}

static void run(struct sockaddr_in address)
{
    struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    dma_mem_t area = area_new(1 << 20);
    char *blocks[2] = { block_new(area, PIECE), block_new(area, PIECE) };
    struct aio_cb cbs[2];
    ec_t ec = channel_new(0);
    int sock = socket_new(TCP4);

    address.sin_port = 0;
    listener = socket_new(TCP4);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    CHECK(bind(sock, (struct sockaddr *)&own, sizeof own) == 0);
    CHECK(connect(sock, (struct sockaddr *)&address, length) == 0);
    pthread_t thread = thread_start(receive, NULL);
    for (int i = 0; i < PIECES; i++) {
        int at = i % 2;
        if (i > 1) {
            event_data_t event = event_wait(ec);
            check_told(&event, &cbs[at].aiocb, PIECE, 0);
        }
        pattern_fill(blocks[at], PIECE, (size_t)i * 1000);
        cbs[at] = cb_told(ec, (uintptr_t)i, sock, blocks[at], PIECE);
        CHECK_OK(aio_send(&cbs[at], 0));
    }
    for (int i = 0; i < 2; i++) {
        event_data_t event = event_wait(ec);
        check_told(&event, &cbs[i].aiocb, PIECE, 0);
        memset(blocks[i], 0, PIECE);
    }
    check_no_event(ec, 10);
    /* One that fails. */
    CHECK(shutdown(sock, SHUT_WR) == 0);
    cbs[0] = cb_new(sock, blocks[0], PIECE);
    CHECK_OK(aio_send(&cbs[0], 0));
    CB_FAILED(&cbs[0], EPIPE);
    thread_end(thread);
    for (int i = 0; i < 2; i++)
        CHECK_OK(sio_release(area, blocks[i], PIECE));
    CHECK_OK(dma_free(area, 1 << 20));
    CHECK(close(sock) == 0 && close(listener) == 0);
    CHECK_OK(ec_destroy(ec));
}

int main(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    check_start();
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    run(address);
    if (find_address(&address))
        run(address);
    else
        printf("not tested: no address but those of loopback\n");
    return 0;
}
