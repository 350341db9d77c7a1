/* ping_kernel: round trips with send(2) and recv(2). */
#include "ping.h"

struct pinger {
    int sock;
    int flags;
};

static void once(void *context)
{
    static unsigned char bytes[PING_BYTES];
    struct pinger *pinger = context;

    check((int)send(pinger->sock, bytes, sizeof bytes, 0), "send");
    while (recv(pinger->sock, bytes, sizeof bytes, pinger->flags) < 0)
        if (errno != EAGAIN)
            err(1, "recv");
}

int main(int argc, char **argv)
{
    struct pinger pinger = {.sock = open_sender(argc, argv)};

    pinger.flags = strcmp(argv[3], "spinning") == 0 ? MSG_DONTWAIT : 0;
    measure(once, &pinger);
}
