/* In a child the parent's areas and associated sockets do not exist: EPERM from every call. */
#include "check.h"

static void all_refuse(struct endpoint *end, void *block, int other)
{
    struct iovec part = { block, 1 };
    struct msghdr message;
    struct sio_info info;
    void *piece;
    const void *constant;
    size_t size;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    CHECK_ERR(dma_base(end->area, &piece, &size), EPERM);
    CHECK_ERR(dma_assoc(other, end->area, 0, 0), EPERM);
    CHECK_ERR(dma_disassoc(end->sock, end->area, 0), EPERM);
    CHECK_ERR(dma_free(end->area, end->size), EPERM);
    CHECK_ERR(sio_reserve(end->area, &piece, 10), EPERM);
    CHECK_ERR(sio_release(end->area, block, 100), EPERM);
    CHECK_ERR(sio_send(end->sock, block, 1, 0), EPERM);
    CHECK_ERR(sio_sendto(end->sock, block, 1, 0, NULL, 0), EPERM);
    CHECK_ERR(sio_sendmsg(end->sock, &message, sizeof message, 0), EPERM);
    CHECK_ERR(sio_recv(end->sock, &piece, 1, 0), EPERM);
    CHECK_ERR(sio_recvfrom(end->sock, &constant, 1, 0, NULL, 0), EPERM);
    CHECK_ERR(sio_recvmsg(end->sock, &constant, sizeof message, 0), EPERM);
    CHECK_ERR(sio_info(end->sock, &info, sizeof info), EPERM);
    CHECK_ERR(sio_detach(end->sock), EPERM);
}

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    void *block = block_new(end.area, 100);
    pattern_fill(block, 100, 0);
    pid_t child = child_start();
    if (child == 0) {
        all_refuse(&end, block, socket_new(TCP4));
        exit(0);
    }
    child_end(child);

    CHECK_PATTERN(block, 100, 0);
    check_silent(pair[1], 5);
    endpoint_send(&end, block, 100, SIO_RELEASE);
    read_message(pair[1], 100, 0);
    write_message(pair[1], 40, 0);
    endpoint_read_pattern(&end, 40, 0);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
