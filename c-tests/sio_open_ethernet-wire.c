/* Frames of one type come by AF_XDP into the area and go out from there, by calls, by events and by
 * callbacks; all others, and these too when it is over, are the kernel's. */
#include "network.h"

enum { AREA = 1 << 20, ROUNDS = 100 };

static int wire, peer, callbacks;
static dma_mem_t area;

static void complete(int fd, void *context)
{
    CHECK(fd == wire && context == &area);
    callbacks++;
}

static void plain_send(struct frame *frame, unsigned type, size_t bytes, size_t at)
{
    size_t length = frame_fill(frame, (uint16_t)type, bytes, at);
    CHECK(send(peer, frame, length, 0) == (ssize_t)length);
}

/* What the other end has sent last: one pointer to where it has arrived. */
static struct frame *fetch(const struct frame *sent, size_t bytes)
{
    void *got = NULL;
    const size_t length = sizeof sent->header + bytes;
    CHECK_IS(sio_recv(wire, &got, 4096, 0), (long long)length);
    CHECK(memcmp(got, sent, length) == 0);
    return got;
}

static void by_calls(void)
{
    struct frame frame, back;
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t bytes = i * 1500 / (ROUNDS - 1), length = sizeof frame.header + bytes;
        plain_send(&frame, FRAME_TYPE, bytes, i);
        struct frame *got = fetch(&frame, bytes);
        /* What has arrived goes back from where it lies. */
        CHECK_IS(sio_send(wire, got, length, 0), (long long)length);
        CHECK(plain_receive(peer, &back) == length && memcmp(&back, &frame, length) == 0);
        CHECK_OK(sio_release(area, got, length));
    }
    struct sio_info info;
    CHECK_OK(sio_info(wire, &info, sizeof info));
    CHECK(info.si_received_bytes > 0 && info.si_received_copied_bytes == 0);
    CHECK(info.si_sent_copied_bytes == 0);
}

static void by_events(void)
{
    struct frame frame, back;
    int source;
    ec_t ec = channel_new(0);
    CHECK_SET(source, ec_add_socket(ec, wire, 0, 7));
    for (size_t i = 0; i < ROUNDS; i++) {
        plain_send(&frame, FRAME_TYPE, 600, i);
        event_data_t event = event_wait_for(ec, EC_EV_RECV, wire);
        CHECK(event.ev_cookie == 7 && event.ev_result == (int64_t)(sizeof frame.header + 600));
        const void *message;
        CHECK_IS(sio_recvmsg(wire, &message, sizeof(struct msghdr), 0), event.ev_result);
        const struct msghdr *header = message;
        const struct sockaddr_ll *from = header->msg_name;
        CHECK(header->msg_namelen == sizeof *from && from->sll_family == AF_PACKET);
        CHECK(from->sll_protocol == htons(FRAME_TYPE) && from->sll_pkttype == PACKET_BROADCAST);
        CHECK(from->sll_ifindex == (int)if_nametoindex("va") && from->sll_halen == ETH_ALEN);
        CHECK(memcmp(from->sll_addr, frame.header.ether_shost, ETH_ALEN) == 0);
        CHECK(memcmp(header->msg_iov->iov_base, &frame, sizeof frame.header + 600) == 0);
        CHECK_OK(sio_release(area, (void *)(uintptr_t)message, sizeof *header));

        struct frame *block = block_new(area, sizeof *block);
        size_t length = frame_fill(block, FRAME_TYPE, 700, i);
        CHECK_IS(sio_send(wire, block, length, SIO_RELEASE), (long long)length);
        event = event_wait_for(ec, EC_EV_SENT, wire);
        CHECK(event.ev_ptr == block && event.ev_result == (int64_t)length);
        CHECK(plain_receive(peer, &back) == length);
        CHECK_PATTERN(back.data, 700, i);
    }
    CHECK_OK(ec_destroy(ec));
}

int main(void)
{
    check_start();
    area = area_of_frames(AREA);
    network_new();
    CHECK_SET(wire, sio_open_ethernet("va", FRAME_TYPE));
    CHECK_SET(peer, sio_open_ethernet("vb", FRAME_TYPE));
    CHECK_OK(dma_assoc(wire, area, 0, DMA_ENGINE_AF_XDP));
    check_engine(wire, "af_xdp");
    by_calls();
    by_events();

    struct frame frame, back;
    CHECK_OK(async_io_notify(wire, complete, &area));
    plain_send(&frame, FRAME_TYPE, 60, 1);
    CHECK_OK(async_io_pause());
    CHECK(callbacks == 1);
    CHECK_OK(sio_release(area, fetch(&frame, 60), sizeof frame.header + 60));

    /* From two places, and too long a frame. */
    struct frame *block = block_new(area, sizeof *block);
    frame_fill(block, FRAME_TYPE, 1000, 3);
    struct iovec parts[2] = { { &block->header, sizeof block->header }, { block->data, 1000 } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    CHECK_IS(sio_sendmsg(wire, &message, sizeof message, 0), (int)sizeof block->header + 1000);
    CHECK(plain_receive(peer, &back) == sizeof back.header + 1000);
    CHECK_PATTERN(back.data, 1000, 3);
    CHECK_OK(sio_release(area, block, sizeof *block));
    void *long_block = block_new(area, 1600);
    memset(long_block, 0, 1600);
    CHECK_ERR(sio_send(wire, long_block, 1600, 0), EMSGSIZE);
    CHECK_ERR(sio_send(wire, long_block, 10, 0), EINVAL);
    CHECK_OK(sio_release(area, long_block, 1600));

    /* Other types are not disturbed. */
    int other;
    CHECK_SET(other, sio_open_ethernet("va", OTHER_TYPE));
    plain_send(&frame, OTHER_TYPE, 100, 5);
    CHECK(plain_receive(other, &back) == sizeof back.header + 100);
    CHECK_PATTERN(back.data, 100, 5);
    void *nothing;
    CHECK_ERR(sio_recv(wire, &nothing, 4096, MSG_DONTWAIT), EAGAIN);

    /* The descriptor goes on as one of the kernel's. */
    plain_send(&frame, FRAME_TYPE, 100, 6);
    struct timespec rest = milliseconds(20);
    nanosleep(&rest, NULL);
    CHECK_ERR(dma_disassoc(wire, area, 0), EBUSY);
    CHECK_OK(sio_release(area, fetch(&frame, 100), sizeof frame.header + 100));
    CHECK_OK(dma_disassoc(wire, area, 0));
    plain_send(&frame, FRAME_TYPE, 100, 7);
    CHECK(plain_receive(wire, &back) == sizeof back.header + 100);
    CHECK_PATTERN(back.data, 100, 7);
    CHECK_OK(dma_free(area, AREA));
    return 0;
}
