/* sio_sendmsg refuses wrong sizes, pieces outside blocks, and what sio_send refuses. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    char outside[4] = "";
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    char *block = block_new(end.area, 256);
    struct iovec good = { block, 256 }, parts[2] = { { block, 256 }, { block, 256 } };
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &good;
    message.msg_iovlen = 1;

    CHECK_ERR(sio_sendmsg(pair[0], NULL, sizeof message, 0), EFAULT);
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message - 1, 0), EINVAL);
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message + 1, 0), EINVAL);
    CHECK_ERR(sio_sendmsg(pair[0], &message, 256, 0), EINVAL);
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, MSG_OOB), EOPNOTSUPP);
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, MSG_ZEROCOPY), EOPNOTSUPP);
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, MSG_PEEK), EINVAL);

    message.msg_iov = parts;
    message.msg_iovlen = 2;
    parts[1].iov_len = 257;
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, 0), EFAULT);
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, SIO_RELEASE), EFAULT);
    parts[1].iov_len = 4;
    parts[1].iov_base = outside;
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, 0), EFAULT);
    parts[1].iov_base = NULL;
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, 0), EFAULT);
    message.msg_iov = NULL;
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, 0), EFAULT);
    message.msg_iov = &good;
    message.msg_iovlen = IOV_MAX + 1;
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, 0), EMSGSIZE);
    message.msg_iovlen = SIZE_MAX;
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, 0), EMSGSIZE);
    message.msg_iovlen = 1;
    message.msg_control = NULL;
    message.msg_controllen = 64;
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, 0), EFAULT);
    /* Lengths that are none are not believed, as by sendmsg(2). */
    message.msg_control = outside;
    message.msg_controllen = SIZE_MAX;
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, 0), ENOBUFS);
    message.msg_controllen = (size_t)1 << 46;
    CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, 0), ENOBUFS);
    message.msg_control = NULL;
    message.msg_controllen = 0;
    if (pair_is_stream(kind)) {
        good.iov_len = 0;
        CHECK_ERR(sio_sendmsg(pair[0], &message, sizeof message, 0), EINVAL);
        good.iov_len = 256;
    }
    check_silent(pair[1], 10);

    pattern_fill(block, 256, 0);
    CHECK_IS(sio_sendmsg(pair[0], &message, sizeof message, SIO_QUIET), 256);
    if (attach == ATTACHED)
        CHECK_OK(ec_flush(end.ec));
    read_message(pair[1], 256, 0);
    CHECK_OK(sio_release(end.area, block, 256));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
