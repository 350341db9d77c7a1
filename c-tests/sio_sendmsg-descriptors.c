/* SCM_RIGHTS: sio_sendmsg passes descriptors over every kind of Unix socket. */
#include "rights.h"

static void run(enum pair_kind kind, enum attach attach)
{
    union control control;
    int pair[2], ends[2];
    pair_open(kind, pair);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    void *block = block_new(end.area, 20);
    pattern_fill(block, 20, 0);

    struct iovec part = { block, 20 };
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    put_descriptor(&message, &control, ends[1]);
    CHECK_IS(sio_sendmsg(pair[0], &message, sizeof message, 0), 20);
    memset(&control, 0xff, sizeof control);
    if (attach == ATTACHED)
        CHECK(event_wait_for(end.ec, EC_EV_SENT, pair[0]).ev_result == 20);

    char data[32];
    struct iovec room = { data, sizeof data };
    memset(&message, 0, sizeof message);
    message.msg_iov = &room;
    message.msg_iovlen = 1;
    message.msg_control = &control;
    message.msg_controllen = sizeof control.bytes;
    CHECK(recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC) == 20);
    CHECK_PATTERN(data, 20, 0);
    int passed = take_descriptor(&message);
    CHECK(write(passed, "y", 1) == 1);
    CHECK(read(ends[0], data, 1) == 1 && data[0] == 'y');
    CHECK(close(passed) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
    CHECK_OK(sio_release(end.area, block, 20));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(1u << UNIX_STREAM | 1u << UNIX_SEQPACKET | 1u << UNIX_DGRAM, run);
    return 0;
}
