/* Descriptors that a peer passes to a program that calls sio_recv are closed, not collected. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    int pair[2], ends[2];
    pair_open(kind, pair);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    int before = count_descriptors();
    for (size_t i = 0; i < 20; i++) {
        char data[10];
        struct iovec part = { data, sizeof data };
        struct msghdr message;
        memset(&message, 0, sizeof message);
        memset(&control, 0, sizeof control);
        pattern_fill(data, sizeof data, i);
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = &control;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *item = CMSG_FIRSTHDR(&message);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(item), &ends[1], sizeof(int));
        CHECK(sendmsg(pair[1], &message, 0) == sizeof data);
        void *piece;
        CHECK_IS(sio_recv(pair[0], &piece, sizeof data, 0), sizeof data);
        CHECK_PATTERN(piece, sizeof data, i);
        CHECK_OK(sio_release(end.area, piece, sizeof data));
    }
    CHECK(count_descriptors() == before);
    endpoint_close(&end);
    /* Nobody has the writing end any more. */
    char byte;
    CHECK(close(ends[1]) == 0 && read(ends[0], &byte, 1) == 0);
    CHECK(close(ends[0]) == 0 && close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(1u << UNIX_STREAM | 1u << UNIX_SEQPACKET | 1u << UNIX_DGRAM, run);
    return 0;
}
