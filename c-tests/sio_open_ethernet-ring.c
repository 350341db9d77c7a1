/* Where AF_XDP does not serve an interface, a ring of packet(7) does: frames come into the area and
 * go out of it, those that are larger than a slot too, in order; the host goes on getting them; what
 * there is no room for waits; and afterwards the socket is as it was. */
#include "network.h"

enum { AREA = 1 << 20, FRAME = 4096, LARGE = 40000, MANY = 300 };

static dma_mem_t area;

static void served_by_ring(int sock)
{
    struct sio_info info;
    CHECK_OK(dma_assoc(sock, area, 0, 0));
    CHECK_OK(sio_info(sock, &info, sizeof info));
    CHECK(strcmp(info.si_engine, "packet_mmap") == 0 && strncmp(info.si_reason, "af_xdp: ", 8) == 0);
    CHECK(!(info.si_flags & (SIO_INFO_ZC_RECV | SIO_INFO_ZC_SEND)));
}

/* Every length there and back; two sockets of the library, `va` and `vb`. */
static void both_ways(int here, int there)
{
    for (size_t i = 0; i < 50; i++) {
        size_t bytes = 46 + i * 29, length = sizeof(struct ether_header) + bytes;
        struct frame *frame = block_new(area, sizeof *frame);
        frame_fill(frame, ETHERTYPE_IP, bytes, i);
        CHECK_IS(sio_send(here, frame, length, 0), (long long)length);
        void *got;
        CHECK_IS(sio_recv(there, &got, FRAME, 0), (long long)length);
        CHECK(got != frame && memcmp(got, frame, length) == 0);
        CHECK_IS(sio_send(there, got, length, SIO_RELEASE), (long long)length);
        struct sockaddr_ll from;
        const void *back;
        CHECK_IS(sio_recvfrom(here, &back, FRAME, 0, (struct sockaddr *)&from, sizeof from), (long long)length);
        CHECK(from.sll_family == AF_PACKET && from.sll_ifindex == (int)if_nametoindex("va"));
        CHECK(memcmp(back, frame, length) == 0);
        CHECK_OK(sio_release(area, (void *)(uintptr_t)back, length));
        CHECK_OK(sio_release(area, frame, sizeof *frame));
    }
    struct sio_info info;
    CHECK_OK(sio_info(here, &info, sizeof info));
    CHECK(info.si_sent_bytes > 0 && info.si_sent_copied_bytes == info.si_sent_bytes);
    CHECK(info.si_received_bytes > 0 && info.si_received_copied_bytes == info.si_received_bytes);
}

/* More than the area has room for: what has arrived waits in the ring, in order. */
static void in_order(int sock, int peer)
{
    struct frame frame;
    void *got, *kept[MANY];
    size_t length = 0;
    for (size_t i = 0; i < MANY; i++) {
        length = frame_fill(&frame, ETHERTYPE_IP, 100, i);
        CHECK(send(peer, &frame, length, 0) == (ssize_t)length);
    }
    size_t held = 0;
    while (sio_recv(sock, &got, FRAME, MSG_DONTWAIT) > 0)
        kept[held++] = got;
    CHECK(errno == EAGAIN && held > 0 && held < MANY);
    for (size_t i = 0; i < held; i++) {
        CHECK_PATTERN(((struct frame *)kept[i])->data, 100, i);
        CHECK_OK(sio_release(area, kept[i], length));
    }
    for (size_t i = held; i < MANY; i++) {
        CHECK_IS(sio_recv(sock, &got, FRAME, 0), (long long)length);
        CHECK_PATTERN(((struct frame *)got)->data, 100, i);
        CHECK_OK(sio_release(area, got, length));
    }
}

/* In a channel, with another socket that gets the same frames from the kernel. */
static void by_events(int sock, int peer, int tap)
{
    struct frame frame, copy;
    ec_t ec = channel_new(0);
    int source;
    CHECK_SET(source, ec_add_socket(ec, sock, 0, 5));
    while (recv(tap, &copy, sizeof copy, MSG_DONTWAIT) > 0)
        continue;
    for (size_t i = 0; i < 20; i++) {
        size_t length = frame_fill(&frame, ETHERTYPE_IP, 200, i);
        CHECK(send(peer, &frame, length, 0) == (ssize_t)length);
        event_data_t event = event_wait_for(ec, EC_EV_RECV, sock);
        CHECK(event.ev_cookie == 5 && event.ev_result == (int64_t)length);
        void *got;
        CHECK_IS(sio_recv(sock, &got, FRAME, 0), (long long)length);
        CHECK(memcmp(got, &frame, length) == 0);
        CHECK(plain_receive(tap, &copy) == length && memcmp(&copy, &frame, length) == 0);
        CHECK_IS(sio_send(sock, got, length, 0), (long long)length);
        event = event_wait_for(ec, EC_EV_SENT, sock);
        CHECK(event.ev_ptr == got && event.ev_result == (int64_t)length && event.ev_flags & EC_F_COPIED);
        CHECK(plain_receive(peer, &copy) == length && memcmp(&copy, &frame, length) == 0);
        CHECK_OK(sio_release(area, got, length));
    }
    CHECK_OK(ec_destroy(ec));
}

/* The loopback interface takes frames that are much larger than a slot, and AF_XDP not at all. */
static void large_frames(void)
{
    static unsigned char sent[LARGE], from_area[LARGE];
    int loop, plain;
    CHECK(system("ip link set lo up") == 0);
    CHECK_SET(loop, sio_open_ethernet("lo", FRAME_TYPE));
    CHECK_SET(plain, sio_open_ethernet("lo", FRAME_TYPE));
    served_by_ring(loop);
    for (size_t bytes = 10000; bytes <= LARGE; bytes += 10000) {
        frame_fill((struct frame *)sent, FRAME_TYPE, 0, 0);
        pattern_fill(sent + ETH_HLEN, bytes - ETH_HLEN, bytes);
        CHECK(send(plain, sent, bytes, 0) == (ssize_t)bytes);
        void *got;
        CHECK_IS(sio_recv(loop, &got, LARGE, 0), (long long)bytes);
        CHECK(memcmp(got, sent, bytes) == 0);
        CHECK(recv(plain, from_area, sizeof from_area, 0) == (ssize_t)bytes);
        CHECK_OK(sio_release(area, got, bytes));
    }
    CHECK_OK(sio_detach(loop));
    CHECK(close(loop) == 0 && close(plain) == 0);
}

int main(void)
{
    check_start();
    setenv("SIO_ENGINE", "af_xdp,epoll", 1);
    CHECK_OK(dma_free(area_of_frames(AREA), AREA));
    network_new();
    int here, there, peer, tap;
    CHECK_SET(here, sio_open_ethernet("va", ETHERTYPE_IP));
    CHECK_SET(there, sio_open_ethernet("vb", ETHERTYPE_IP));
    CHECK_SET(peer, sio_open_ethernet("vb", ETHERTYPE_IP));
    CHECK_SET(tap, sio_open_ethernet("va", ETHERTYPE_IP));
    area = area_new(AREA);
    served_by_ring(here);
    served_by_ring(there);
    both_ways(here, there);
    CHECK_OK(sio_detach(there));
    CHECK(close(there) == 0);
    in_order(here, peer);
    struct frame frame;
    while (recv(peer, &frame, sizeof frame, MSG_DONTWAIT) > 0)
        continue;
    by_events(here, peer, tap);

    /* The interface goes down and comes back. */
    void *got;
    CHECK(system("ip link set va down && ip link set va up") == 0);
    CHECK_ERR(sio_recv(here, &got, FRAME, MSG_DONTWAIT), ENETDOWN);
    CHECK_ERR(sio_recv(here, &got, FRAME, MSG_DONTWAIT), EAGAIN);
    /* The other end may notice a moment later, and loses what is sent meanwhile. */
    size_t length = frame_fill(&frame, ETHERTYPE_IP, 300, 3);
    int count = 0;
    while (count <= 0) {
        (void)!send(peer, &frame, length, MSG_DONTWAIT);
        usleep(10000);
        count = sio_recv(here, &got, FRAME, MSG_DONTWAIT);
    }
    CHECK(count == (int)length && memcmp(got, &frame, length) == 0);
    CHECK_OK(sio_release(area, got, length));

    /* Afterwards it is an ordinary socket, which gets what comes from then on. */
    CHECK_OK(sio_detach(here));
    struct frame back;
    length = frame_fill(&frame, ETHERTYPE_IP, 200, 9);
    CHECK(send(peer, &frame, length, 0) == (ssize_t)length);
    while (plain_receive(here, &back) != length || memcmp(&back, &frame, length) != 0)
        continue;
    large_frames();
    CHECK(close(here) == 0 && close(peer) == 0 && close(tap) == 0);
    CHECK_OK(dma_free(area, AREA));
    return 0;
}
