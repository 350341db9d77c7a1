/* aio_echo: a TCP echo server in which every operation is a request, and an event tells how it
 * ended: accept, receive, send. The sockets need not be non-blocking, and nobody ever waits but
 * for events. Shows SIGEV_EC, a full channel, and what is cancelled before a socket is closed.
 *
 *     cc aio_echo.c $(pkg-config --cflags --libs sio) -o aio_echo && ./aio_echo 7007
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <sio.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_BYTES = 16 << 10, BATCH = 64 };
enum what { ACCEPT, RECEIVE, SEND, STOP }; /* the cookies of events */

/* One client: its request stands first, so that ev_ptr leads to both. */
struct client {
    struct aio_cb cb;
    struct client *next, **link; /* the others */
    char buffer[BUFFER_BYTES];
};

static struct client *clients;
static ec_t ec;

static int check(int result, const char *call)
{
    if (result >= 0)
        return result;
    perror(call);
    exit(1);
}

/* Asks for an event of the channel with this cookie. */
static struct aio_cb *prepare(struct aio_cb *cb, int sock, enum what what)
{
    cb->aio_fildes = sock;
    cb->aio_sigevent.sigev_notify = SIGEV_EC;
    cb->aio_sigevent.sigev_ec = ec;
    cb->aio_sigevent.sigev_value.sival_ptr = (void *)(uintptr_t)what;
    return cb;
}

static void drop(struct client *client)
{
    if ((*client->link = client->next))
        client->next->link = client->link;
    close(client->cb.aio_fildes); /* nothing is under way: its only request has ended */
    free(client);
}

/* Whether the request was made. One that was not, because the channel is full or memory is
 * short, is the end of this client: a server with more to lose would try again. */
static void begun(struct client *client, int result)
{
    if (result < 0) {
        perror("aio_cb");
        drop(client);
    }
}

static void receive(struct client *client)
{
    prepare(&client->cb, client->cb.aio_fildes, RECEIVE);
    client->cb.aio_buf = client->buffer;
    client->cb.aio_nbytes = BUFFER_BYTES;
    begun(client, aio_recv(&client->cb, 0));
}

static void handle(const event_data_t *e, struct aio_cb *listening)
{
    struct client *client = e->ev_ptr;

    if (e->ev_cookie == ACCEPT) {
        client = e->ev_errno == 0 ? calloc(1, sizeof *client) : NULL;
        if (client) {
            client->cb.aio_fildes = (int)e->ev_result;
            client->link = &clients;
            if ((client->next = clients))
                clients->link = &client->next;
            clients = client;
            receive(client);
        } else if (e->ev_errno == 0) {
            close((int)e->ev_result);
        }
        if (e->ev_errno != ECANCELED)
            check(aio_accept(listening, SOCK_CLOEXEC, NULL, NULL), "aio_accept");
    } else if (e->ev_result <= 0) { /* the end of the stream, or an error */
        drop(client);
    } else if (e->ev_cookie == RECEIVE) {
        prepare(&client->cb, client->cb.aio_fildes, SEND);
        client->cb.aio_nbytes = (size_t)e->ev_result;
        begun(client, aio_send(&client->cb, 0)); /* ends when all of it has been sent */
    } else {
        receive(client);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t address_size = sizeof address;
    event_data_t events[BATCH];
    struct aio_cb listening = {0};
    sigset_t stop;

    address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 7007));
    int listener = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), "setsockopt");
    check(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
    check(listen(listener, SOMAXCONN), "listen");
    check(getsockname(listener, (struct sockaddr *)&address, &address_size), "getsockname");

    ec = check(ec_create(EC_SINGLE), "ec_create");
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    check(sigprocmask(SIG_BLOCK, &stop, NULL), "sigprocmask");
    check(ec_add_signal(ec, &stop, 0, STOP), "ec_add_signal");
    check(aio_accept(prepare(&listening, listener, ACCEPT), SOCK_CLOEXEC, NULL, NULL),
          "aio_accept");
    printf("listening on port %d\n", ntohs(address.sin_port));
    fflush(stdout);

    for (bool running = true; running;) {
        int n = ec_wait_events(ec, events, BATCH, NULL, NULL);
        check(n < 0 && errno != EINTR ? -1 : 0, "ec_wait_events");
        for (int i = 0; i < n; i++)
            if (events[i].ev_cookie == STOP && events[i].ev_type == EC_EV_SIGNAL)
                running = false;
            else
                handle(&events[i], &listening);
    }
    /* Buffers and blocks are the library's until their requests have ended. */
    aio_cancel(listener, NULL);
    for (struct client *client = clients; client; client = client->next)
        while (aio_error(&client->cb.aiocb) == EINPROGRESS)
            aio_cancel(client->cb.aio_fildes, &client->cb.aiocb);
    while (clients)
        drop(clients);
    close(listener);
    return check(ec_destroy(ec), "ec_destroy");
}
