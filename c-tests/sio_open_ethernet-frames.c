/* Whole frames arrive in an area and are sent from it, by calls and by events, with the type that
 * was asked for and no other. */
#include "network.h"

enum { AREA = 1 << 20, BYTES = 1000 };

int main(void)
{
    check_start();
    network_new();
    int near, far;
    CHECK_SET(near, sio_open_ethernet("va", FRAME_TYPE));
    CHECK_SET(far, sio_open_ethernet("vb", SIO_ETHERNET_NONBLOCK));
    CHECK(fcntl(near, F_GETFD) & FD_CLOEXEC);
    CHECK(!(fcntl(near, F_GETFL) & O_NONBLOCK));
    CHECK(fcntl(far, F_GETFL) & O_NONBLOCK);
    dma_mem_t area = area_new(AREA);
    CHECK_OK(dma_assoc(near, area, 0, 0));
    CHECK_OK(dma_assoc(far, area, 0, 0));
    void *got = NULL;
    CHECK_ERR(sio_recv(far, &got, 2000, 0), EAGAIN);

    /* By calls. */
    struct frame *frame = block_new(area, sizeof *frame);
    size_t length = frame_fill(frame, OTHER_TYPE, BYTES, 0);
    CHECK_IS(sio_send(far, frame, length, 0), (long long)length);
    length = frame_fill(frame, FRAME_TYPE, BYTES, 7);
    CHECK_IS(sio_send(far, frame, length, 0), (long long)length);
    CHECK_IS(sio_recv(near, &got, 2000, 0), (long long)length);
    CHECK(memcmp(got, frame, length) == 0);
    CHECK_OK(sio_release(area, got, length));
    CHECK_ERR(sio_recv(near, &got, 2000, MSG_DONTWAIT), EAGAIN);
    /* What it has sent does not come back. */
    CHECK_ERR(sio_recv(far, &got, 2000, 0), EAGAIN);

    /* By events. */
    ec_t ec = channel_new(0);
    int source;
    CHECK_SET(source, ec_add_socket(ec, near, 0, 1));
    CHECK_SET(source, ec_add_socket(ec, far, 0, 2));
    CHECK_IS(sio_send(near, frame, length, 0), (long long)length);
    for (int seen = 0; seen != 3;) {
        event_data_t event = event_wait(ec);
        if (event.ev_type == EC_EV_SENT) {
            CHECK(event.ev_fd == near && event.ev_result == (int64_t)length);
            seen |= 1;
        } else {
            CHECK(event.ev_type == EC_EV_RECV && event.ev_fd == far);
            const void *message;
            CHECK_IS(sio_recvmsg(far, &message, sizeof(struct msghdr), 0), (long long)length);
            const struct msghdr *header = message;
            const struct sockaddr_ll *from = header->msg_name;
            CHECK(from->sll_family == AF_PACKET && from->sll_protocol == htons(FRAME_TYPE));
            CHECK(from->sll_ifindex == (int)if_nametoindex("vb"));
            CHECK(memcmp(header->msg_iov->iov_base, frame, length) == 0);
            CHECK_OK(sio_release(area, (void *)(uintptr_t)message, sizeof *header));
            seen |= 2;
        }
    }
    CHECK_OK(sio_release(area, frame, sizeof *frame));
    CHECK_OK(sio_detach(near));
    CHECK_OK(sio_detach(far));
    CHECK(close(near) == 0 && close(far) == 0);
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, AREA));
    return 0;
}
