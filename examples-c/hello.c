/* hello: one message through an area of DMA memory and an event channel, and everything given
 * back at the end. It talks to itself, so nothing else is needed.
 *
 *     cc hello.c $(pkg-config --cflags --libs sio) -o hello && ./hello
 */
#include <sio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AREA_BYTES = 1 << 20, SHARE_BYTES = 64 << 10, BLOCK_BYTES = 64 };

/* Every call of the library fails as a system call does: -1 and errno. */
static int check(int result, const char *call)
{
    if (result >= 0)
        return result;
    perror(call);
    exit(1);
}

int main(void)
{
    int pair[2], received = 0, sent = 0;
    dma_mem_t area;
    void *block;
    ec_t ec = check(ec_create(0), "ec_create");

    check(dma_alloc(&area, AREA_BYTES, 0), "dma_alloc");
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    for (int i = 0; i < 2; i++) {
        check(dma_assoc(pair[i], area, SHARE_BYTES, 0), "dma_assoc");
        check(ec_add_socket(ec, pair[i], 0, 0), "ec_add_socket");
    }
    check(sio_reserve(area, &block, BLOCK_BYTES), "sio_reserve");
    strcpy(block, "Hello, zero copy!");
    /* With SIO_RELEASE the block needs no further care: it is free again once it is sent. */
    check(sio_send(pair[0], block, strlen(block), SIO_RELEASE), "sio_send");

    while (!received || !sent) {
        event_data_t event;
        check(ec_wait_events(ec, &event, 1, NULL, NULL), "ec_wait_events");
        sent |= event.ev_type == EC_EV_SENT;
        if (event.ev_type == EC_EV_RECV) {
            received = check(sio_recv(event.ev_fd, &block, BLOCK_BYTES, 0), "sio_recv");
            printf("%.*s\n", received, (char *)block);
            check(sio_release(area, block, (size_t)received), "sio_release");
        }
    }
    for (int i = 0; i < 2; i++) {
        check(sio_detach(pair[i]), "sio_detach"); /* before close: close is not seen */
        close(pair[i]);
    }
    check(dma_free(area, AREA_BYTES), "dma_free");
    return check(ec_destroy(ec), "ec_destroy");
}
