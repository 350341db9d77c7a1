/* udp.h: what the C programs with datagrams have in common. Most are started as
 *
 *     PROGRAM ADDRESS PORT COUNTER
 *
 * and count what they have received or sent in the file COUNTER, which the runner looks at; they
 * never end.
 */
#include "../bench.h"
#include <stdint.h>

enum { PAYLOAD_BYTES_MAX = 2048 };
/* Datagrams that are sent: how long, and how many together. */
enum { SENT_BYTES = 64, SEND_BATCH = 64 };

static inline struct sockaddr_in address_of(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    if (argc < 4)
        errx(2, "usage: %s ADDRESS PORT COUNTER", argv[0]);
    address.sin_port = htons((uint16_t)atoi(argv[2]));
    if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1)
        errx(2, "no address: %s", argv[1]);
    return address;
}

/* Of a program that sends: the address is that of the other side. */
static inline int open_sender(int argc, char **argv)
{
    struct sockaddr_in address = address_of(argc, argv);
    int sock = check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");

    check(connect(sock, (struct sockaddr *)&address, sizeof address), "connect");
    return sock;
}

static inline int open_socket(int argc, char **argv)
{
    struct sockaddr_in address = address_of(argc, argv);
    int sock = check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    check(setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &(int){4 << 20}, sizeof(int)), "SO_RCVBUF");
    check(bind(sock, (struct sockaddr *)&address, sizeof address), "bind");
    return sock;
}

/* [0] datagrams, [1] the sum of their first bytes, so that each is looked at. */
static inline volatile uint64_t *open_counter(char **argv)
{
    int file = check(open(argv[3], O_RDWR | O_CLOEXEC), argv[3]);
    void *counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

    if (counter == MAP_FAILED)
        err(1, "mmap");
    close(file);
    return counter;
}
