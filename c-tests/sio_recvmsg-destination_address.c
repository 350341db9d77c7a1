/* IP_PKTINFO: sio_recvmsg tells the address that a datagram was sent to. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int sock = socket_new(kind), peer = socket_new(kind), one = 1;
    struct sockaddr_in any = { .sin_family = AF_INET };
    socklen_t length = sizeof any;
    CHECK(bind(sock, (struct sockaddr *)&any, sizeof any) == 0);
    CHECK(getsockname(sock, (struct sockaddr *)&any, &length) == 0);
    CHECK(setsockopt(sock, IPPROTO_IP, IP_PKTINFO, &one, sizeof one) == 0);
    struct endpoint end = endpoint_open(sock, 1 << 16, attach);
    for (unsigned i = 0; i < 5; i++) {
        any.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i);
        CHECK(sendto(peer, "hello", 5, 0, (struct sockaddr *)&any, sizeof any) == 5);
        const void *got;
        CHECK_IS(sio_recvmsg(sock, &got, sizeof(struct msghdr), 0), 5);
        struct msghdr message = *(const struct msghdr *)got;
        CHECK(memcmp(message.msg_iov[0].iov_base, "hello", 5) == 0);
        struct cmsghdr *item = CMSG_FIRSTHDR(&message);
        CHECK(item != NULL && item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO);
        struct in_pktinfo where;
        memcpy(&where, CMSG_DATA(item), sizeof where);
        CHECK(where.ipi_addr.s_addr == htonl(INADDR_LOOPBACK + i));
        CHECK(CMSG_NXTHDR(&message, item) == NULL);
        CHECK_OK(sio_release(end.area, (void *)(uintptr_t)got, sizeof(struct msghdr)));
    }
    endpoint_close(&end);
    CHECK(close(peer) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(1u << UDP4, run);
    return 0;
}
