/* A datagram that the kernel refuses for its address: its errno, at once or with the event. */
#include "check.h"

static void expect(struct endpoint *end, void *block, const struct sockaddr *to, socklen_t length)
{
    int plain = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    errno = 0;
    CHECK(sendto(plain, "x", 1, MSG_NOSIGNAL, to, length) == -1);
    int expected = errno;
    CHECK(close(plain) == 0);
    errno = 0;
    int n = sio_sendto(end->sock, block, 1, 0, to, length);
    if (n == 1 && end->ec != -1) {
        event_data_t event = event_wait(end->ec);
        CHECK(event.ev_type == EC_EV_SENT && event.ev_ptr == block);
        n = (int)event.ev_result;
        errno = event.ev_errno;
    }
    CHECK(n == -1 && errno == expected);
}

static void run(enum pair_kind kind, enum attach attach)
{
    struct endpoint end = endpoint_open(socket_new(kind), 1 << 16, attach);
    void *block = block_new(end.area, 10);
    struct sockaddr_in broadcast = { .sin_family = AF_INET, .sin_port = htons(9) };
    struct sockaddr_in6 other = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
    broadcast.sin_addr.s_addr = htonl(INADDR_BROADCAST);
    other.sin6_addr = in6addr_loopback;
    expect(&end, block, (struct sockaddr *)&broadcast, sizeof broadcast);
    expect(&end, block, (struct sockaddr *)&other, sizeof other);
    expect(&end, block, (struct sockaddr *)&broadcast, 4);
    CHECK_OK(sio_release(end.area, block, 10));
    endpoint_close(&end);
}

int main(void)
{
    check_start();
    each_pair_attached(1u << UDP4, run);
    return 0;
}
