/* ping_sio: round trips with libsio, on a socket in no channel. */
#include "ping.h"
#include <sio.h>

struct pinger {
    int sock;
    int flags;
    dma_mem_t area;
    void *block;
};

static void once(void *context)
{
    struct pinger *pinger = context;
    void *answer;
    int got;

    check(sio_send(pinger->sock, pinger->block, PING_BYTES, 0), "sio_send");
    while ((got = sio_recv(pinger->sock, &answer, PING_BYTES, pinger->flags)) < 0)
        if (errno != EAGAIN)
            err(1, "sio_recv");
    check(sio_release(pinger->area, answer, (size_t)got), "sio_release");
}

int main(int argc, char **argv)
{
    struct pinger pinger = {.sock = open_sender(argc, argv)};

    pinger.flags = strcmp(argv[3], "spinning") == 0 ? MSG_DONTWAIT : 0;
    check(dma_alloc(&pinger.area, 8 << 20, 0), "dma_alloc");
    check(dma_assoc(pinger.sock, pinger.area, 0, 0), "dma_assoc");
    check(sio_reserve(pinger.area, &pinger.block, PING_BYTES), "sio_reserve");
    memset(pinger.block, 1, PING_BYTES);
    measure(once, &pinger);
}
