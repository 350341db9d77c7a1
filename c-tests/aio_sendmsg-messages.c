/*
 * Messages: pieces, addresses and control data, at once and later; what recvmsg(2) fills in is
 * filled in. A message of a stream that is larger than there is room for is sent whole, from all its
 * pieces, and its descriptor once.
 */
#include "aio_cb.h"
#include "rights.h"

static void run(enum pair_kind kind)
{
    struct sockaddr_storage address[2], from;
    socklen_t length[2];
    int socks[2];
    for (int i = 0; i < 2; i++) {
        socks[i] = socket_new(kind);
        CHECK(socket_bind(socks[i], kind, &address[i], &length[i]) == 0);
    }
    for (int round = 0; round < 4; round++) {
        char in[2][3], out[] = "abcdef";
        struct iovec parts[2] = { { out, 4 }, { out + 4, 2 } };
        struct iovec room[2] = { { in[0], 3 }, { in[1], round & 2 ? 1 : 3 } };
        struct msghdr sent = { .msg_name = &address[1], .msg_namelen = length[1],
                               .msg_iov = parts, .msg_iovlen = 2 };
        struct msghdr got = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = room,
                              .msg_iovlen = 2, .msg_flags = -1 };
        struct aio_cb receive = cb_new(socks[1], NULL, 0), send = cb_new(socks[0], NULL, 0);
        receive.msg_hdr = &got;
        send.msg_hdr = &sent;
        if (round & 1) {
            CHECK_OK(aio_recvmsg(&receive, 0));
            CB_WAITS(&receive);
        }
        CHECK_OK(aio_sendmsg(&send, 0));
        CB_DONE(&send, 6);
        if (!(round & 1))
            CHECK_OK(aio_recvmsg(&receive, 0));
        CB_DONE(&receive, round & 2 ? 4 : 6);
        CHECK(memcmp(in[0], "abc", 3) == 0 && memcmp(in[1], "def", room[1].iov_len) == 0);
        CHECK(got.msg_namelen == length[0] && memcmp(&from, &address[0], length[0]) == 0);
        CHECK(got.msg_flags == (round & 2 ? MSG_TRUNC : 0));
        CHECK(got.msg_controllen == 0);
        CHECK(got.msg_iov == room && got.msg_iovlen == 2 && room[0].iov_len == 3);
    }
    CHECK(close(socks[0]) == 0 && close(socks[1]) == 0);
}

static void descriptors(int later)
{
    int pair[2], fd;
    union control out, in;
    char byte = 'x';
    struct iovec part = { &byte, 1 };
    struct msghdr sent = { .msg_iov = &part, .msg_iovlen = 1 }, got = sent;
    pair_open(UNIX_STREAM, pair);
    struct aio_cb receive = cb_new(pair[1], NULL, 0), send = cb_new(pair[0], NULL, 0);
    receive.msg_hdr = &got;
    send.msg_hdr = &sent;
    got.msg_control = &in;
    got.msg_controllen = sizeof in.bytes;
    put_descriptor(&sent, &out, STDERR_FILENO);
    if (later)
        CHECK_OK(aio_recvmsg(&receive, MSG_CMSG_CLOEXEC));
    CHECK_OK(aio_sendmsg(&send, 0));
    CB_DONE(&send, 1);
    if (!later)
        CHECK_OK(aio_recvmsg(&receive, MSG_CMSG_CLOEXEC));
    CB_DONE(&receive, 1);
    CHECK((got.msg_flags & MSG_CTRUNC) == 0);
    fd = take_descriptor(&got);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(close(fd) == 0 && close(pair[0]) == 0 && close(pair[1]) == 0);
}

#define PIECES 64
#define PIECE 32768

static void large(enum pair_kind kind)
{
    static char out[PIECES * PIECE], in[PIECES * PIECE];
    struct iovec parts[PIECES], room[2] = { { in, 1000 }, { in + 1000, sizeof in - 1000 } };
    struct msghdr sent = { .msg_iov = parts, .msg_iovlen = PIECES };
    struct msghdr got = { .msg_iov = room, .msg_iovlen = 2 };
    union control control, received;
    int pair[2], before = count_descriptors();
    pair_open(kind, pair);
    make_narrow(pair);
    pattern_fill(out, sizeof out, 0);
    memset(in, 0, sizeof in);
    for (int i = 0; i < PIECES; i++)
        parts[i] = (struct iovec){ out + i * PIECE, PIECE };
    struct aio_cb send = cb_new(pair[0], NULL, 0), receive = cb_new(pair[1], NULL, 0);
    if (kind == UNIX_STREAM) {
        put_descriptor(&sent, &control, STDERR_FILENO);
        got.msg_control = &received;
        got.msg_controllen = sizeof received.bytes;
    }
    send.msg_hdr = &sent;
    receive.msg_hdr = &got;
    CHECK_OK(aio_sendmsg(&send, 0));
    /* The pieces are read when the request is made; what they point to, later. */
    memset(parts, 0, sizeof parts);
    CB_WAITS(&send);
    if (kind == UNIX_STREAM) {
        /* A message with a descriptor ends what one call receives. */
        size_t done = 0;
        CHECK_OK(aio_recvmsg(&receive, 0));
        CHECK(aio_await(&receive.aiocb) == 0);
        CHECK(close(take_descriptor(&got)) == 0);
        done = (size_t)aio_return(&receive.aiocb);
        while (done < sizeof in) {
            receive = cb_new(pair[1], in + done, sizeof in - done);
            CHECK_OK(aio_recv(&receive, MSG_WAITALL));
            CHECK(aio_await(&receive.aiocb) == 0);
            CHECK(aio_return(&receive.aiocb) > 0);
            done += (size_t)aio_return(&receive.aiocb);
        }
    } else {
        CHECK_OK(aio_recvmsg(&receive, MSG_WAITALL));
        CB_DONE(&receive, sizeof in);
    }
    CB_DONE(&send, sizeof out);
    CHECK_PATTERN(in, sizeof in, 0);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    /* The library may keep its ring. */
    CHECK(count_descriptors() <= before + 2);
}

int main(void)
{
    check_start();
    each_pair(DATAGRAM_PAIRS, run);
    descriptors(0);
    descriptors(1);
    each_pair(STREAM_PAIRS, large);
    return 0;
}
