/* IP_PKTINFO: control data of sio_sendmsg chooses the source address of a datagram. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control;
    struct sockaddr_storage to, from;
    socklen_t length, from_length = sizeof from;
    int peer = socket_new(kind), sock = socket_new(kind);
    CHECK(socket_bind(peer, kind, &to, &length) == 0);
    struct endpoint end = endpoint_open(sock, 1 << 16, attach);
    void *block = block_new(end.area, 20);
    pattern_fill(block, 20, 0);

    struct iovec part = { block, 20 };
    struct msghdr message;
    struct in_pktinfo choice;
    memset(&message, 0, sizeof message);
    memset(&control, 0, sizeof control);
    memset(&choice, 0, sizeof choice);
    choice.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK + 1);
    message.msg_name = &to;
    message.msg_namelen = length;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *item = CMSG_FIRSTHDR(&message);
    item->cmsg_level = IPPROTO_IP;
    item->cmsg_type = IP_PKTINFO;
    item->cmsg_len = CMSG_LEN(sizeof choice);
    memcpy(CMSG_DATA(item), &choice, sizeof choice);
    CHECK_IS(sio_sendmsg(sock, &message, sizeof message, 0), 20);
    memset(&control, 0xff, sizeof control);
    memset(&to, 0xff, sizeof to);
    if (attach == ATTACHED)
        CHECK(event_wait_for(end.ec, EC_EV_SENT, sock).ev_result == 20);

    char data[32];
    CHECK(recvfrom(peer, data, sizeof data, 0, (struct sockaddr *)&from, &from_length) == 20);
    CHECK_PATTERN(data, 20, 0);
    CHECK(((struct sockaddr_in *)(void *)&from)->sin_addr.s_addr == htonl(INADDR_LOOPBACK + 1));
    CHECK_OK(sio_release(end.area, block, 20));
    endpoint_close(&end);
    CHECK(close(peer) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(1u << UDP4, run);
    return 0;
}
