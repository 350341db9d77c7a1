/* Datagrams that are sent together go through the kernel as few large ones where that is the same
 * for the receiver: each arrives as it was sent, and in order. Where the program could tell the
 * difference they go one by one. */
#include "check.h"

#include <netinet/udp.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum { COUNT = 60, ROOM = 2048, AREA = 1 << 20, SENDERS = 3 };

static char *block;
static dma_mem_t area;
static event_data_t events[COUNT];

static int open_receiver(enum pair_kind kind, struct sockaddr_storage *address, socklen_t *length)
{
    int receiver = socket_new(kind);

    setsockopt(receiver, SOL_SOCKET, SO_RCVBUF, &(int){ 1 << 20 }, sizeof(int));
    CHECK(socket_bind(receiver, kind, address, length) == 0);
    return receiver;
}

static void attach(ec_t ec, int sock)
{
    CHECK_OK(dma_assoc(sock, area, 0, 0));
    CHECK(ec_add_socket(ec, sock, 0, 0) >= 0);
}

static void wait_for_sends(ec_t ec, int count)
{
    for (int told = 0, n; told < count; told += n) {
        CHECK_SET(n, ec_wait_events(ec, events, COUNT, NULL, NULL));
        for (int i = 0; i < n; i++)
            CHECK(events[i].ev_type == EC_EV_SENT && events[i].ev_errno == 0 &&
                  events[i].ev_result == (int64_t)events[i].ev_len);
    }
}

static void expect(int receiver, size_t size, size_t at)
{
    static char buffer[ROOM * COUNT];
    ssize_t n = recv(receiver, buffer, sizeof buffer, MSG_DONTWAIT);

    CHECK(n == (ssize_t)size);
    CHECK_PATTERN(buffer, size, at);
}

/* Sends of many sizes, and to several places in turn: what arrives where is what was sent there. */
static void sizes(enum pair_kind kind)
{
    static const size_t variants[][4] = {
        { 1000, 1000, 1000, 1000 }, { 1000, 1000, 1000, 999 }, { 1, 1, 1, 1 },
        { 1200, 1200, 0, 1200 }, { 5, 4, 3, 2 }, { 2, 3, 4, 5 }, { 1472, 1472, 1472, 7 },
    };
    struct sockaddr_storage address;
    socklen_t length;
    ec_t ec;

    CHECK_SET(ec, ec_create(0));
    int receiver = open_receiver(kind, &address, &length);
    int sender = socket_new(kind);
    CHECK(connect(sender, (struct sockaddr *)&address, length) == 0);
    attach(ec, sender);
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        for (int i = 0; i < COUNT; i++) {
            size_t size = variants[v][i % 4];
            CHECK_IS(sio_send(sender, block + i * ROOM, size, 0), (int)size);
        }
        wait_for_sends(ec, COUNT);
        for (int i = 0; i < COUNT; i++)
            expect(receiver, variants[v][i % 4], i * ROOM);
        CHECK(recv(receiver, &(char){ 0 }, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    }
    CHECK_OK(sio_detach(sender));
    close(sender);
    close(receiver);
    CHECK_OK(ec_destroy(ec));
}

static void places(enum pair_kind kind)
{
    struct sockaddr_storage address[2];
    socklen_t length[2];
    int receiver[2];
    ec_t ec;

    CHECK_SET(ec, ec_create(0));
    for (int i = 0; i < 2; i++)
        receiver[i] = open_receiver(kind, &address[i], &length[i]);
    int sender = socket_new(kind);
    attach(ec, sender);
    for (int i = 0; i < COUNT; i++)
        CHECK_IS(sio_sendto(sender, block + i * ROOM, 700, 0, (struct sockaddr *)&address[i / 7 % 2],
                            length[i / 7 % 2]), 700);
    wait_for_sends(ec, COUNT);
    for (int i = 0; i < COUNT; i++)
        expect(receiver[i / 7 % 2], 700, i * ROOM);
    CHECK_OK(sio_detach(sender));
    close(sender);
    for (int i = 0; i < 2; i++)
        close(receiver[i]);
    CHECK_OK(ec_destroy(ec));
}

/* How many messages a receiver gets that takes several datagrams at once. */
static int messages(enum pair_kind kind, int option, int value)
{
    static char buffer[1 << 16];
    struct sockaddr_storage address;
    socklen_t length;
    size_t bytes = 0;
    int count = 0;
    ec_t ec;

    CHECK_SET(ec, ec_create(0));
    int receiver = open_receiver(kind, &address, &length);
    CHECK(setsockopt(receiver, SOL_UDP, UDP_GRO, &(int){ 1 }, sizeof(int)) == 0);
    int sender = socket_new(kind);
    CHECK(connect(sender, (struct sockaddr *)&address, length) == 0);
    CHECK(!option || setsockopt(sender, SOL_UDP, option, &value, sizeof value) == 0);
    attach(ec, sender);
    for (int i = 0; i < COUNT; i++)
        CHECK_IS(sio_send(sender, block + i * ROOM, 800, 0), 800);
    wait_for_sends(ec, COUNT);
    if (option == UDP_CORK)
        CHECK(setsockopt(sender, SOL_UDP, UDP_CORK, &(int){ 0 }, sizeof(int)) == 0);
    for (ssize_t n; (n = recv(receiver, buffer, sizeof buffer, MSG_DONTWAIT)) > 0; count++)
        bytes += (size_t)n;
    CHECK(bytes == COUNT * 800);
    CHECK_OK(sio_detach(sender));
    close(sender);
    close(receiver);
    CHECK_OK(ec_destroy(ec));
    return count;
}

int main(void)
{
    int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int is_known = setsockopt(probe, SOL_UDP, UDP_SEGMENT, &(int){ 0 }, sizeof(int)) == 0;

    check_start();
    if (getenv("SIO_C_TEST_NETWORK"))
        check_skip("what the loopback interface does with large datagrams is what is looked at");
    close(probe);
    CHECK_OK(dma_alloc(&area, AREA, 0));
    CHECK_OK(sio_reserve(area, (void **)&block, COUNT * ROOM));
    pattern_fill(block, COUNT * ROOM, 0);
    for (int kind = 0; kind < PAIR_KINDS; kind++) {
        if (!(UDP_PAIRS >> kind & 1) || !pair_exists(kind))
            continue;
        check_context = pair_name(kind);
        sizes(kind);
        places(kind);
        if (!is_known)
            continue;
        int together = messages(kind, 0, 0), own = messages(kind, UDP_SEGMENT, 400);
        CHECK(together <= COUNT / 10);
        CHECK(own == COUNT);
        CHECK(messages(kind, UDP_CORK, 1) == 1);
    }
    return 0;
}
