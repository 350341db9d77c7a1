/*
 * sio_recvmsg gives a struct msghdr in the area: sender, one piece of data, no control data, no
 * flags; one release gives all of it back.
 */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int peer = socket_new(kind), sock = socket_new(kind);
    struct sockaddr_storage address, own;
    socklen_t length, own_length;
    CHECK(socket_bind(sock, kind, &own, &own_length) == 0);
    CHECK(socket_bind(peer, kind, &address, &length) == 0);
    CHECK(connect(peer, (struct sockaddr *)&own, own_length) == 0);
    struct endpoint end = endpoint_open(sock, 1 << 18, attach);
    char *base;
    size_t size;
    CHECK_OK(dma_base(end.area, (void **)&base, &size));
    for (size_t i = 0; i < 200; i++) {
        size_t bytes = i % 20 * 70;
        const void *got;
        write_message(peer, bytes, i);
        CHECK_IS(sio_recvmsg(sock, &got, sizeof(struct msghdr), 0), (int)bytes);
        const struct msghdr *message = got;
        CHECK((const char *)got >= base);
        CHECK((const char *)got + sizeof *message <= base + size);
        CHECK(message->msg_namelen == length);
        CHECK(memcmp(message->msg_name, &address, length) == 0);
        CHECK(message->msg_iovlen == 1);
        CHECK(message->msg_iov[0].iov_len == bytes);
        CHECK_PATTERN(message->msg_iov[0].iov_base, bytes, i);
        CHECK((char *)message->msg_iov[0].iov_base >= base);
        CHECK((char *)message->msg_iov[0].iov_base + bytes <= base + size);
        CHECK(message->msg_controllen == 0);
        CHECK((message->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0);
        CHECK_ERR(sio_release(end.area, (void *)(uintptr_t)got, sizeof *message + 1), EINVAL);
        CHECK_OK(sio_release(end.area, (void *)(uintptr_t)got, sizeof *message));
        CHECK_ERR(sio_release(end.area, (void *)(uintptr_t)got, sizeof *message), EINVAL);
    }
    endpoint_close(&end);
    CHECK(close(peer) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(DATAGRAM_PAIRS, run);
    return 0;
}
