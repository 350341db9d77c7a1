/* SCM_RIGHTS: descriptors arrive as control data of sio_recvmsg, close-on-exec when asked for. */
#include "rights.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2], ends[2];
    pair_open(kind, pair);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    int before = count_descriptors();
    for (size_t i = 0; i < 10; i++) {
        const void *got;
        char byte;
        pass_descriptor(pair[1], ends[1], i);
        CHECK_IS(sio_recvmsg(pair[0], &got, sizeof(struct msghdr), MSG_CMSG_CLOEXEC), 10);
        struct msghdr message = *(const struct msghdr *)got;
        CHECK_PATTERN(message.msg_iov[0].iov_base, 10, i);
        CHECK((message.msg_flags & MSG_CTRUNC) == 0);
        int passed = take_descriptor(&message);
        CHECK(fcntl(passed, F_GETFD) == FD_CLOEXEC);
        CHECK(write(passed, "z", 1) == 1);
        CHECK(read(ends[0], &byte, 1) == 1 && byte == 'z');
        /* Releasing the message closes nothing: the descriptor is the program's. */
        CHECK_OK(sio_release(end.area, (void *)(uintptr_t)got, sizeof(struct msghdr)));
        CHECK(fcntl(passed, F_GETFD) != -1);
        CHECK(close(passed) == 0);
    }
    CHECK(count_descriptors() == before);
    endpoint_close(&end);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0 && close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(1u << UNIX_STREAM | 1u << UNIX_SEQPACKET | 1u << UNIX_DGRAM, run);
    return 0;
}
