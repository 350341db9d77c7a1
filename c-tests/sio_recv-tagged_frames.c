/*
 * Frames with VLAN tags that come by the wire to a socket that AF_XDP serves: it gets just those that a
 * socket of the kernel's gets, in that order. A tag with a priority alone is none; what is of a VLAN in
 * which the host is not, and what has two tags, reaches nobody.
 */
#include "network.h"

#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

enum { AREA = 1 << 20, ROUNDS = 25, BYTES = 300, KINDS = 6, TYPE_VLAN = 0x8100, TYPE_SERVICE = 0x88a8 };

struct tags {
    unsigned count;
    struct { uint16_t type, tag; } each[2];
};

static const struct tags kinds[KINDS] = {
    { 0, { { 0, 0 } } },
    { 1, { { TYPE_VLAN, 0 } } },
    { 1, { { TYPE_VLAN, 0xa000 } } },                          /* a priority */
    { 1, { { TYPE_VLAN, 5 } } },
    { 1, { { TYPE_VLAN, 0xe005 } } },
    { 2, { { TYPE_SERVICE, 7 }, { TYPE_VLAN, 5 } } },
};

static uint16_t sum(const void *from, size_t bytes)
{
    const unsigned char *byte = from;
    uint32_t total = 0;
    for (size_t i = 0; i < bytes; i += 2)
        total += (uint32_t)byte[i] << 8 | byte[i + 1];
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return htons((uint16_t)~total);
}

/* A datagram with a number in front, without a checksum of its own. */
static size_t fill(unsigned char *frame, const unsigned char *station, const struct tags *tags,
                   uint16_t port, uint32_t number)
{
    unsigned char *at = frame;
    memcpy(at, station, ETH_ALEN);
    memset(at + ETH_ALEN, 2, ETH_ALEN);
    at += 2 * ETH_ALEN;
    for (unsigned i = 0; i < tags->count; i++, at += 4) {
        memcpy(at, &(uint16_t){ htons(tags->each[i].type) }, 2);
        memcpy(at + 2, &(uint16_t){ htons(tags->each[i].tag) }, 2);
    }
    memcpy(at, &(uint16_t){ htons(ETHERTYPE_IP) }, 2);
    at += 2;
    struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
                        .tot_len = htons(sizeof ip + sizeof(struct udphdr) + BYTES),
                        .saddr = inet_addr("10.7.0.2"), .daddr = inet_addr("10.7.0.1") };
    ip.check = sum(&ip, sizeof ip);
    struct udphdr udp = { .source = htons(99), .dest = port, .len = htons(sizeof udp + BYTES) };
    memcpy(at, &ip, sizeof ip);
    memcpy(at + sizeof ip, &udp, sizeof udp);
    at += sizeof ip + sizeof udp;
    memcpy(at, &number, sizeof number);
    pattern_fill(at + sizeof number, BYTES - sizeof number, number);
    return (size_t)(at + BYTES - frame);
}

static int bound(uint16_t *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr("10.7.0.1") };
    socklen_t length = sizeof address;
    struct timeval limit = { 10, 0 };
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(sock >= 0 && bind(sock, (struct sockaddr *)&address, length) == 0);
    CHECK(getsockname(sock, (struct sockaddr *)&address, &length) == 0);
    CHECK(setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    *port = address.sin_port;
    return sock;
}

int main(void)
{
    check_start();
    network_new();
    if (system("ip addr add 10.7.0.1/24 dev va") != 0)
        check_skip("no address");
    dma_mem_t area = area_of_frames(AREA);
    uint16_t plain_port, port;
    int plain = bound(&plain_port), sock = bound(&port);
    CHECK_OK(dma_assoc(sock, area, 0, DMA_ENGINE_AF_XDP));
    check_engine(sock, "af_xdp");

    struct sockaddr_ll wire = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("vb") };
    int far = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), count = 0;
    unsigned char station[ETH_ALEN], frame[2 * ETH_ALEN + 10 + 28 + BYTES], message[BYTES];
    struct ifreq va = { .ifr_name = "va" };
    CHECK(ioctl(plain, SIOCGIFHWADDR, &va) == 0);
    memcpy(station, va.ifr_hwaddr.sa_data, ETH_ALEN);
    CHECK(far >= 0);
    for (uint32_t number = 0; number < ROUNDS * KINDS + 1; number++) {
        /* The last one has no tag, so that it ends the wait. */
        const struct tags *tags = &kinds[number % KINDS];
        for (int i = 0; i < 2; i++) {
            size_t bytes = fill(frame, station, tags, i ? port : plain_port, number);
            CHECK(sendto(far, frame, bytes, 0, (struct sockaddr *)&wire, sizeof wire) == (ssize_t)bytes);
        }
    }
    for (uint32_t number = 0; number < ROUNDS * KINDS; count++) {
        void *data;
        CHECK(recv(plain, message, sizeof message, 0) == BYTES);
        CHECK_IS(sio_recv(sock, &data, 2048, 0), BYTES);
        CHECK(memcmp(data, message, BYTES) == 0);
        memcpy(&number, data, sizeof number);
        CHECK_PATTERN((char *)data + sizeof number, BYTES - sizeof number, number);
        CHECK_OK(sio_release(area, data, BYTES));
        CHECK(kinds[number % KINDS].count == 0 || (kinds[number % KINDS].each[0].tag & 0xfff) == 0);
    }
    CHECK(count == ROUNDS * KINDS / 2 + 1);
    struct sio_info info;
    CHECK_OK(sio_info(sock, &info, sizeof info));
    CHECK(info.si_received_bytes == (uint64_t)count * BYTES);
    CHECK_OK(sio_detach(sock));
    CHECK_OK(dma_free(area, AREA));
    CHECK(close(sock) == 0 && close(plain) == 0 && close(far) == 0);
    return 0;
}
