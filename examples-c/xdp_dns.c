/* xdp_dns: a DNS server that answers from a list of names. Queries come straight from the network
 * card's queue into memory of the program, and answers go out from there (AF_XDP); where that is
 * refused, the kernel's socket serves, and the first line says why.
 *
 *     cc xdp_dns.c $(pkg-config --cflags --libs sio) -o xdp_dns
 *     ./xdp_dns 10.0.0.1 53 example.test=192.0.2.1 www.example.test=192.0.2.2
 *
 * Read sio_af_xdp(7) for what it needs.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <signal.h>
#include <sio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { AREA_BYTES = 8 << 20, HEADER_BYTES = 12, ANSWER_BYTES = 16, QUERY_BYTES_MAX = 512 };
enum { BATCH = 64, NO_ERROR = 0, FORMAT_ERROR = 1, NO_SUCH_NAME = 3, NOT_IMPLEMENTED = 4 };

struct name { const char *text; struct in_addr address; };
static struct name *names;
static int name_count;
static volatile sig_atomic_t ended;

static int check(int result, const char *what)
{
    if (result == -1) {
        perror(what);
        exit(1);
    }
    return result;
}

static void end(int number)
{
    (void)number;
    ended = 1;
}

/* The name in a question, as text; where the question goes on after it, or 0. */
static int read_name(const unsigned char *query, int bytes, char *text)
{
    int at = HEADER_BYTES, length = 0;
    while (at < bytes && query[at] != 0) {
        int label = query[at++];
        if (label > 63 || at + label > bytes || length + label + 1 > 255)
            return 0;
        memcpy(text + length, query + at, (size_t)label);
        length += label;
        text[length++] = '.';
        at += label;
    }
    text[length > 0 ? length - 1 : 0] = 0;
    return at + 5 <= bytes ? at + 1 : 0;
}

/* Writes the answer to a query into `reply`: its length, or 0 if it deserves none. RFC 1035. */
static int answer(const unsigned char *query, int bytes, unsigned char *reply)
{
    char text[256];
    if (bytes < HEADER_BYTES || bytes > QUERY_BYTES_MAX || query[2] & 0x80)
        return 0;
    int after = query[4] == 0 && query[5] == 1 ? read_name(query, bytes, text) : 0;
    int code = after == 0 ? FORMAT_ERROR : query[2] & 0x78 ? NOT_IMPLEMENTED : NO_SUCH_NAME;
    int length = after == 0 ? HEADER_BYTES : after + 4;
    int wants_address = after != 0 && memcmp(query + after, "\0\1\0\1", 4) == 0;
    memcpy(reply, query, (size_t)length);
    memset(reply + 6, 0, 6);
    reply[5] = after != 0;
    for (int i = 0; code == NO_SUCH_NAME && i < name_count; i++) {
        if (strcasecmp(text, names[i].text) != 0)
            continue;
        code = NO_ERROR;
        if (wants_address) {
            /* The name again by reference, type A, class IN, a minute, four bytes. */
            memcpy(reply + length, "\300\014\0\1\0\1\0\0\0\074\0\4", 12);
            memcpy(reply + length + 12, &names[i].address, 4);
            length += ANSWER_BYTES;
            reply[7] = 1;
        }
    }
    reply[2] = (unsigned char)(0x84 | (query[2] & 0x79));
    reply[3] = (unsigned char)code;
    return length;
}

/* Fetches one query and sends the answer; 0 when there is no more. */
static int serve(int sock, dma_mem_t area)
{
    struct sockaddr_in client = { 0 };
    const void *query;
    void *reply;
    int bytes = sio_recvfrom(sock, &query, QUERY_BYTES_MAX + 1, MSG_DONTWAIT,
                             (struct sockaddr *)&client, sizeof client);
    if (bytes == -1)
        return 0;
    if (sio_reserve(area, &reply, QUERY_BYTES_MAX + ANSWER_BYTES) == 0) {
        int length = answer(query, bytes, reply);
        /* Nothing else is to be done for the block: it is free when it is sent. */
        if (length == 0 || sio_sendto(sock, reply, (size_t)length, SIO_RELEASE | SIO_QUIET,
                                      (struct sockaddr *)&client, sizeof client) == -1)
            sio_release(area, reply, QUERY_BYTES_MAX + ANSWER_BYTES);
    }
    check(sio_release(area, (void *)query, (size_t)bytes), "sio_release");
    return 1;
}

int main(int argc, char **argv)
{
    struct sockaddr_in own = { .sin_family = AF_INET };
    socklen_t length = sizeof own;
    struct sio_info info = { 0 };
    dma_mem_t area;
    if (argc < 3 || inet_pton(AF_INET, argv[1], &own.sin_addr) != 1)
        return fprintf(stderr, "usage: xdp_dns ADDRESS PORT [NAME=ADDRESS ...]\n"), 2;
    own.sin_port = htons((unsigned short)atoi(argv[2]));
    names = calloc((size_t)argc, sizeof *names);
    for (int i = 3; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value || inet_pton(AF_INET, value + 1, &names[name_count].address) != 1)
            continue;
        *value = 0;
        names[name_count++].text = argv[i];
    }
    signal(SIGTERM, end);
    setenv("SIO_ENGINE", "af_xdp,io_uring,epoll", 0);

    int sock = check(socket(AF_INET, SOCK_DGRAM, 0), "socket");
    check(bind(sock, (struct sockaddr *)&own, sizeof own), "bind");
    check(getsockname(sock, (struct sockaddr *)&own, &length), "getsockname");
    check(dma_alloc(&area, AREA_BYTES, 0), "dma_alloc");
    check(dma_assoc(sock, area, 0, 0), "dma_assoc");
    ec_t ec = check(ec_create(0), "ec_create");
    check(ec_add_socket(ec, sock, 0, 0), "ec_add_socket");
    check(sio_info(sock, &info, sizeof info), "sio_info");
    printf("%s%s%s port %d\n", info.si_engine, *info.si_reason ? ", because of " : "",
           info.si_reason, ntohs(own.sin_port));
    fflush(stdout);

    while (!ended) {
        event_data_t events[BATCH];
        for (int i = ec_wait_events(ec, events, BATCH, NULL, NULL) > 0 ? BATCH : 0; i > 0; i--)
            if (!serve(sock, area))
                break;
    }
    return sio_detach(sock);
}
