/* bench.h: what the C programs that are compared have in common, above all how the runner talks
 * to them: a program that listens prints "port N", one that sends prints "ready" and starts when
 * a line arrives on stdin; whatever ends by itself prints "done REQUESTS BYTES". Servers are
 * killed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 256 };
/* Senders walk through more memory than fits into a cache, in blocks, block by block. */
enum { SEND_AREA_BYTES = 256 << 20, SEND_BLOCK_BYTES = 1 << 20, SEND_WINDOW = 64 };
/* Receivers spread what arrives over as much. */
enum { RECEIVE_AREA_BYTES = 64 << 20 };

static inline int check(int result, const char *call)
{
    if (result < 0)
        err(1, "%s", call);
    return result;
}

/* The congestion control must not differ between machines and runs more than it has to. */
static inline void pin_tcp(int sock)
{
    if (setsockopt(sock, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) < 0)
        setsockopt(sock, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    check(setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), "TCP_NODELAY");
}

/* A listening socket on loopback; the port is told to the runner. */
static inline int listen_and_tell(int flags)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t address_size = sizeof address;
    int listener = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket");

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pin_tcp(listener); /* accepted sockets inherit it */
    check(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
    check(listen(listener, 4096), "listen");
    check(getsockname(listener, (struct sockaddr *)&address, &address_size), "getsockname");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

/* The environment may ask for datagrams that the kernel cuts to that size: udp(7), UDP_SEGMENT. */
static inline void segment_as_asked(int sock)
{
    const char *bytes = getenv("BENCH_SEGMENT");

    if (bytes)
        check(setsockopt(sock, SOL_UDP, UDP_SEGMENT, &(int){atoi(bytes)}, sizeof(int)),
              "UDP_SEGMENT");
}

/* A connected socket. */
static inline int connect_to(const char *protocol, const char *host, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    bool tcp = strcmp(protocol, "tcp") == 0;
    int sock = check(socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0), "socket");

    address.sin_port = htons((uint16_t)atoi(port));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        errx(2, "no address: %s", host);
    if (tcp)
        pin_tcp(sock);
    else
        segment_as_asked(sock);
    check(connect(sock, (struct sockaddr *)&address, sizeof address), "connect");
    return sock;
}

static inline double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void wait_for_go(void)
{
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF)
        exit(1);
}

/* Tells the result, and stays until it has been looked at. */
static inline void done(unsigned long long requests, unsigned long long bytes)
{
    printf("done %llu %llu\n", requests, bytes);
    fflush(stdout);
    while (getchar() != EOF)
        ;
}
