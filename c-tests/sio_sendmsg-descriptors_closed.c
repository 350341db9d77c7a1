/*
 * The program may close descriptors as soon as sio_sendmsg has accepted them, as after sendmsg(2), and
 * use the numbers for something else: what arrives is what was passed, however long it had to wait.
 */
#include "leaks.h"
#include "rights.h"

#include <sys/mman.h>

#define MESSAGES 200

static void put_name(int fd, int name)
{
    CHECK(pwrite(fd, &name, sizeof name, 0) == sizeof name);
}

static int file_named(int name)
{
    int fd = memfd_create("passed", MFD_CLOEXEC);
    CHECK(fd >= 0);
    put_name(fd, name);
    return fd;
}

static void run(enum pair_kind kind, enum attach attach)
{
    union control control;
    int pair[2], sent = 0, one_more;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 20, attach);
    char *block = block_new(end.area, 2000);
    pattern_fill(block, 2000, 0);
    struct iovec part = { block, 2000 };
    struct msghdr message;
    do {
        int fd = file_named(sent), is_sent;
        memset(&message, 0, sizeof message);
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        put_descriptor(&message, &control, fd);
        is_sent = sio_sendmsg(pair[0], &message, sizeof message, MSG_DONTWAIT | SIO_QUIET);
        CHECK(close(fd) == 0);
        one_more = is_sent == 2000 && ++sent < MESSAGES;
        if (is_sent != 2000)
            CHECK(errno == EAGAIN || errno == ETOOMANYREFS);
    } while (one_more);
    CHECK(sent > 0);
    /* The number again, for a file of another name. */
    int other = file_named(-1);

    for (int i = 0; i < sent; i++) {
        int name = -2;
        char data[2000];
        size_t have = 0;
        while (have < sizeof data) {
            struct iovec room = { data + have, sizeof data - have };
            memset(&message, 0, sizeof message);
            message.msg_iov = &room;
            message.msg_iovlen = 1;
            message.msg_control = &control;
            message.msg_controllen = sizeof control.bytes;
            if (attach == ATTACHED)
                CHECK_OK(ec_flush(end.ec));
            ssize_t count = recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
            if (count < 0) {
                CHECK(errno == EAGAIN);
                sched_yield();
                continue;
            }
            CHECK(count > 0 && (have == 0) == (message.msg_controllen > 0));
            if (have == 0) {
                int passed = take_descriptor(&message);
                CHECK(pread(passed, &name, sizeof name, 0) == sizeof name && name == i);
                CHECK(close(passed) == 0);
            }
            have += (size_t)count;
        }
        CHECK_PATTERN(data, sizeof data, 0);
    }
    CHECK(close(other) == 0);
    CHECK_OK(sio_release(end.area, block, 2000));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    int before = count_descriptors();
    each_pair_attached(1u << UNIX_STREAM | 1u << UNIX_SEQPACKET | 1u << UNIX_DGRAM, run);
    CHECK(count_descriptors() <= before + 2);

    /* What is not open is refused at once. */
    union control control;
    int pair[2];
    pair_open(UNIX_SEQPACKET, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    struct iovec part = { block_new(end.area, 10), 10 };
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    put_descriptor(&message, &control, 1000000);
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, 0), EBADF);
    CHECK_OK(sio_release(end.area, part.iov_base, 10));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
    return 0;
}
