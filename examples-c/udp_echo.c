/* udp_echo: every datagram goes back to its sender from the block it arrived in. Shows the calls
 * with an address and what a program for datagrams does when it is refused: it drops them.
 *
 *     cc udp_echo.c $(pkg-config --cflags --libs sio) -o udp_echo && ./udp_echo 7007
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sio.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { AREA_BYTES = 4 << 20, SHARE_BYTES = 2 << 20, DATAGRAM_BYTES = 65536, BATCH = 64 };

static int check(int result, const char *call)
{
    if (result >= 0)
        return result;
    perror(call);
    exit(1);
}

/* Sends one datagram back; false when there is none. */
static bool echo(int sock, dma_mem_t area)
{
    struct sockaddr_in from;
    struct sockaddr *address = (struct sockaddr *)&from;
    const void *block;
    int size = sio_recvfrom(sock, &block, DATAGRAM_BYTES, MSG_DONTWAIT, address, sizeof from);

    if (size < 0) /* anything else than EAGAIN is the answer to an earlier datagram */
        return errno != EAGAIN;
    if (size == 0) { /* an empty datagram has no block that could be released */
        sio_sendto(sock, block, 0, SIO_QUIET, address, sizeof from);
        return true;
    }
    /* Nobody waits for the memory, so no event is wanted: it is released when it is sent. */
    if (sio_sendto(sock, block, (size_t)size, SIO_RELEASE | SIO_QUIET, address, sizeof from) < 0)
        sio_release(area, (void *)block, (size_t)size);
    return true;
}

int main(int argc, char **argv)
{
    /* Loopback only: a server that echoes datagrams to anyone is an aid for attacks on others. */
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t address_size = sizeof address;
    event_data_t event;
    dma_mem_t area;
    sigset_t stop;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 7007));
    int sock = check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    check(bind(sock, (struct sockaddr *)&address, sizeof address), "bind");
    check(getsockname(sock, (struct sockaddr *)&address, &address_size), "getsockname");

    /* The signals that stop the server are a descriptor, and so one more source of events. */
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    check(sigprocmask(SIG_BLOCK, &stop, NULL), "sigprocmask");
    int stopped = check(signalfd(-1, &stop, SFD_CLOEXEC), "signalfd");

    ec_t ec = check(ec_create(EC_SINGLE), "ec_create");
    check(ec_add_fd(ec, stopped, POLLIN, 0, 0), "ec_add_fd");
    check(dma_alloc(&area, AREA_BYTES, 0), "dma_alloc");
    check(dma_assoc(sock, area, SHARE_BYTES, 0), "dma_assoc");
    check(ec_add_socket(ec, sock, 0, 0), "ec_add_socket");
    printf("listening on port %d\n", ntohs(address.sin_port));
    fflush(stdout);

    for (event.ev_type = 0; event.ev_type != EC_EV_FD;) {
        if (ec_wait_events(ec, &event, 1, NULL, NULL) < 0)
            check(errno == EINTR ? 0 : -1, "ec_wait_events");
        /* A bounded number, so that the stop is seen under any load; the event is repeated while
         * datagrams are left. */
        for (int i = 0; i < BATCH && event.ev_type == EC_EV_RECV && echo(sock, area); i++)
            ;
    }
    check(sio_detach(sock), "sio_detach"); /* before close: the library does not see close */
    close(sock);
    close(stopped);
    check(ec_destroy(ec), "ec_destroy");
    return check(dma_free(area, AREA_BYTES), "dma_free");
}
