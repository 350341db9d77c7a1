/* httpd: a server of static files. Shows many connections on one channel, each of which goes on
 * where it stopped: httpd_connection.h; and files that are sent from the page cache as they are,
 * without being copied: httpd_files.h. No time-outs: not for clients who stop reading.
 *
 *     cc httpd.c $(pkg-config --cflags --libs sio) -o httpd && ./httpd /usr/share/doc 8080
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/signalfd.h>

#include "httpd_connection.h"

/* The area is for requests, and for heads of responses with small files behind them. */
enum { DESCRIPTORS = 65536, BATCH = 64, AREA_MIB = 64 };

static struct connection *connections[DESCRIPTORS]; /* by descriptor */
static int refused_count;
static unsigned long accepted;

static int check(int result, const char *call)
{
    if (result < 0)
        err(1, "%s", call);
    return result;
}

static void drop(int sock)
{
    refused_count -= connections[sock]->refused;
    connection_close(sock, connections[sock]);
    connections[sock] = NULL; /* events of this batch that are still to come find nothing */
}

static void step(int sock)
{
    struct connection *c = connections[sock];

    refused_count -= c->refused;
    c->refused = false;
    if (go_on(sock, c))
        refused_count += c->refused;
    else
        drop(sock);
}

static void accept_one(ec_t ec, int sock, int error)
{
    struct connection *c = malloc(sizeof *c);

    /* EC_EDGE: told when more has come, and not with every wait that something is there. */
    if (error || !c || sock >= DESCRIPTORS || ec_add_socket(ec, sock, EC_EDGE, 0) < 0) {
        sio_detach(sock);
        close(sock);
        free(c);
        return;
    }
    *c = (struct connection){0};
    connections[sock] = c;
    accepted++;
}

static void handle(ec_t ec, const event_data_t *e)
{
    struct connection *c = connections[e->ev_fd];

    if (e->ev_type == EC_EV_ACCEPT)
        accept_one(ec, (int)e->ev_result, e->ev_errno);
    if (!c || (e->ev_type != EC_EV_RECV && e->ev_type != EC_EV_SENT))
        return;
    if (e->ev_type == EC_EV_RECV) /* the end comes after all that there is: it is received, too */
        c->readable = (size_t)e->ev_result + ((e->ev_flags & EC_F_EOF) != 0);
    c->sending -= e->ev_type == EC_EV_SENT;
    /* When a file has become shorter, the head has promised what is not there any more. */
    if (e->ev_errno || (e->ev_type == EC_EV_SENT && e->ev_result < (int64_t)e->ev_len))
        drop(e->ev_fd);
    else
        step(e->ev_fd);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t address_size = sizeof address;
    const char *mib = getenv("HTTPD_AREA_MIB");
    const size_t area_bytes = (size_t)(mib && atoi(mib) > 0 ? atoi(mib) : AREA_MIB) << 20;
    event_data_t events[BATCH];
    sigset_t stop;

    if (argc < 2)
        errx(2, "usage: httpd DIRECTORY [PORT]");
    check(chdir(argv[1]), argv[1]);
    address.sin_port = htons((uint16_t)(argc > 2 ? atoi(argv[2]) : 8080));
    int listener = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), "setsockopt");
    check(setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), "setsockopt");
    check(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
    check(listen(listener, SOMAXCONN), "listen");
    check(getsockname(listener, (struct sockaddr *)&address, &address_size), "getsockname");

    /* The signals that stop the server are a descriptor, and so one more source of events. */
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    check(sigprocmask(SIG_BLOCK, &stop, NULL), "sigprocmask");
    int stopped = check(signalfd(-1, &stop, SFD_CLOEXEC), "signalfd");

    ec_t ec = check(ec_create(EC_SINGLE), "ec_create");
    check(ec_add_fd(ec, stopped, POLLIN, 0, 0), "ec_add_fd");
    check(dma_alloc(&area, area_bytes, 0), "dma_alloc");
    check(dma_assoc(listener, area, 2 * HTTP_REQUEST_MAX, 0), "dma_assoc"); /* is inherited */
    /* EC_NONBLOCK: only to non-blocking sockets are files sent without a copy. */
    check(ec_add_accept(ec, listener, EC_NONBLOCK, 0), "ec_add_accept");
    check(sio_info(listener, &total, sizeof total), "sio_info");
    printf("listening on port %d\n", ntohs(address.sin_port));
    fflush(stdout);

    for (bool running = true; running;) {
        struct timespec soon = {.tv_nsec = 10000000};
        int n = ec_wait_events(ec, events, BATCH, refused_count ? &soon : NULL, NULL);
        check(n < 0 && errno != EINTR && errno != ETIMEDOUT ? -1 : 0, "ec_wait_events");
        for (int i = 0; i < n; i++) {
            running = running && events[i].ev_type != EC_EV_FD;
            handle(ec, &events[i]);
        }
        for (int sock = 0, left = refused_count; left > 0; sock++)
            if (connections[sock] && connections[sock]->refused) {
                left--;
                step(sock); /* events have been fetched: there may be room now */
            }
    }
    for (int sock = 0; sock < DESCRIPTORS; sock++)
        if (connections[sock])
            drop(sock);
    for (struct file **f = files; f < files + FILES; f++)
        files_let_go(*f);
    sio_detach(listener);
    close(listener);
    close(stopped);
    printf("{\"engine\": \"%s\", \"requests\": %lu, \"bytes\": %llu, \"copied_bytes\": %llu, "
           "\"connections\": %lu, \"read_bytes\": %lld}\n", total.si_engine, requests,
           (unsigned long long)total.si_sent_bytes, (unsigned long long)total.si_sent_copied_bytes,
           accepted, files_bytes_read);
    check(ec_destroy(ec), "ec_destroy");
    return check(dma_free(area, area_bytes), "dma_free");
}
