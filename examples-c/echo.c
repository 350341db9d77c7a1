/* echo: a TCP echo server in which no byte is copied: the block that arrived is the block that
 * is sent back. Shows accepting into an area, back-pressure, the end of a stream and a clean stop.
 *
 *     cc echo.c $(pkg-config --cflags --libs sio) -o echo && ./echo 7007
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sio.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { AREA_BYTES = 4 << 20, SHARE_BYTES = 64 << 10, DESCRIPTORS = 65536, BATCH = 64 };
enum { PIECE_BYTES = 16 << 10, SENDS = 4 }; /* what a client that does not read can hold */

static struct connection {
    bool open, ended;   /* ended: the peer sends no more, but what it sent may be on its way back */
    bool paused;        /* nothing is received until sends have completed */
    unsigned sending;   /* sends accepted and not yet told by EC_EV_SENT */
    int source, size;
    void *block;        /* received, and refused by sio_send for now */
} connections[DESCRIPTORS]; /* by descriptor */
static bool refused;        /* some connection has such a block */
static dma_mem_t area;
static ec_t ec;

static int check(int result, const char *call)
{
    if (result >= 0)
        return result;
    perror(call);
    exit(1);
}

static void drop(int fd)
{
    struct connection *c = &connections[fd];

    if (c->block)
        sio_release(area, c->block, (size_t)c->size);
    sio_detach(fd); /* before close: the library does not see close */
    close(fd);
    memset(c, 0, sizeof *c); /* events of this batch that are still to come find it closed */
}

/* Sends back what has come, until there is no more or enough is under way. */
static void echo(int fd)
{
    struct connection *c = &connections[fd];
    bool stopped = false;

    while (!stopped && (c->block || c->sending < SENDS)) {
        if (!c->block)
            c->size = sio_recv(fd, &c->block, PIECE_BYTES, 0);
        stopped = c->size <= 0 || sio_send(fd, c->block, (size_t)c->size, SIO_RELEASE) < 0;
        if (!stopped) { /* otherwise nothing has changed: the block is still ours */
            c->sending++;
            c->block = NULL;
        }
    }
    refused |= c->block != NULL;
    c->ended = c->size == 0;
    bool pause = c->block || (c->sending == SENDS && !c->ended);
    /* Detaching cancels what is being sent, so the last EC_EV_SENT closes, not the end. */
    if (c->ended ? c->sending == 0 : stopped && errno != EAGAIN)
        drop(fd);
    else if (c->paused != pause) /* paused: not to be told with every wait that data waits */
        ec_modify(ec, c->source, 0, (c->paused = pause) ? EC_EDGE : 0);
}

static void handle(const event_data_t *e)
{
    int fd = e->ev_type == EC_EV_ACCEPT ? (int)e->ev_result : e->ev_fd;
    struct connection *c = fd >= 0 && fd < DESCRIPTORS ? &connections[fd] : NULL;

    if (e->ev_type == EC_EV_ACCEPT && c && !e->ev_errno) {
        c->open = true;
    } else if (e->ev_type == EC_EV_ACCEPT) { /* none, or not associated, or not attached */
        fprintf(stderr, "accept: %s\n", strerror(e->ev_errno ? e->ev_errno : EMFILE));
        sio_detach(fd);
        close(fd);
    } else if (c && c->open && (e->ev_type == EC_EV_RECV || e->ev_type == EC_EV_SENT)) {
        bool sent = e->ev_type == EC_EV_SENT;
        c->source = e->ev_source;
        c->sending -= sent;
        if (e->ev_errno || (c->ended && c->sending == 0))
            drop(fd);
        else if (!c->ended && c->paused == sent) /* who is paused waits for this one only */
            echo(fd);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t address_size = sizeof address;
    event_data_t events[BATCH];
    sigset_t stop;
    bool running = true;

    address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 7007));
    int listener = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), "setsockopt");
    check(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
    check(listen(listener, SOMAXCONN), "listen");
    check(getsockname(listener, (struct sockaddr *)&address, &address_size), "getsockname");

    /* The signals that stop the server are a descriptor, and so one more source of events. */
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    check(sigprocmask(SIG_BLOCK, &stop, NULL), "sigprocmask");
    int stopped = check(signalfd(-1, &stop, SFD_CLOEXEC), "signalfd");

    ec = check(ec_create(EC_SINGLE), "ec_create");
    check(ec_add_fd(ec, stopped, POLLIN, 0, 0), "ec_add_fd");
    check(dma_alloc(&area, AREA_BYTES, 0), "dma_alloc");
    check(dma_assoc(listener, area, SHARE_BYTES, 0), "dma_assoc"); /* the accepted inherit it */
    check(ec_add_accept(ec, listener, EC_ATTACH | EC_NONBLOCK, 0), "ec_add_accept");
    printf("listening on port %d\n", ntohs(address.sin_port));
    fflush(stdout);

    while (running) {
        int n = ec_wait_events(ec, events, BATCH, NULL, NULL);
        check(n < 0 && errno != EINTR ? -1 : 0, "ec_wait_events");
        for (int i = 0; i < n; i++) {
            handle(&events[i]);
            running = running && events[i].ev_type != EC_EV_FD;
        }
        bool again = refused;
        refused = false;
        for (int fd = 0; again && fd < DESCRIPTORS; fd++)
            if (connections[fd].block)
                echo(fd); /* events have been fetched: there may be room now */
    }
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        if (connections[fd].open)
            drop(fd);
    sio_detach(listener);
    close(listener);
    close(stopped);
    check(ec_destroy(ec), "ec_destroy");
    return check(dma_free(area, AREA_BYTES), "dma_free");
}
