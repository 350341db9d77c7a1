/*
 * What is wrong with the call itself is told by the call: flags, pointers, lengths, the priority.
 * What is wrong with the socket is told by the control block; SIGPIPE is never raised.
 */
#include "aio_cb.h"

static struct sockaddr_in nowhere = { .sin_family = AF_INET };

static void calls(int sock)
{
    char byte;
    struct aio_cb cb = cb_new(sock, &byte, 1);
    struct sockaddr *address = (struct sockaddr *)&nowhere;
    socklen_t length = sizeof nowhere, negative = (socklen_t)-1;
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    CHECK_ERR(aio_send(NULL, 0), EFAULT);
    CHECK_ERR(aio_sendto(NULL, 0, address, length), EFAULT);
    CHECK_ERR(aio_sendmsg(NULL, 0), EFAULT);
    CHECK_ERR(aio_recv(NULL, 0), EFAULT);
    CHECK_ERR(aio_recvfrom(NULL, 0, NULL, NULL), EFAULT);
    CHECK_ERR(aio_recvmsg(NULL, 0), EFAULT);
    CHECK_ERR(aio_accept(NULL, 0, NULL, NULL), EFAULT);
    CHECK_ERR(aio_connect(NULL, address, length), EFAULT);

    CHECK_ERR(aio_send(&cb, MSG_PEEK), EINVAL);
    CHECK_ERR(aio_send(&cb, INT_MIN), EINVAL);
    CHECK_ERR(aio_sendto(&cb, MSG_WAITALL, address, length), EINVAL);
    CHECK_ERR(aio_sendmsg(&cb, 1 << 20), EINVAL);
    CHECK_ERR(aio_recv(&cb, MSG_MORE), EINVAL);
    CHECK_ERR(aio_recvfrom(&cb, MSG_EOR, NULL, NULL), EINVAL);
    CHECK_ERR(aio_recvmsg(&cb, 1 << 20), EINVAL);
    CHECK_ERR(aio_accept(&cb, SOCK_DGRAM, NULL, NULL), EINVAL);

    CHECK_ERR(aio_sendmsg(&cb, 0), EFAULT);
    CHECK_ERR(aio_recvmsg(&cb, 0), EFAULT);
    CHECK_ERR(aio_recvfrom(&cb, 0, address, NULL), EFAULT);
    CHECK_ERR(aio_recvfrom(&cb, 0, address, &negative), EINVAL);
    CHECK_ERR(aio_accept(&cb, 0, address, NULL), EFAULT);
    CHECK_ERR(aio_accept(&cb, 0, address, &negative), EINVAL);
    CHECK_ERR(aio_connect(&cb, NULL, length), EFAULT);
    CHECK_ERR(aio_connect(&cb, address, 129), EINVAL);
    CHECK_ERR(aio_sendto(&cb, 0, address, 129), EINVAL);
    cb.msg_hdr = &message;
    message.msg_iovlen = 1025;
    CHECK_ERR(aio_sendmsg(&cb, 0), EMSGSIZE);
    CHECK_ERR(aio_recvmsg(&cb, 0), EMSGSIZE);
    message.msg_iovlen = 1;
    message.msg_iov = NULL;
    CHECK_ERR(aio_sendmsg(&cb, 0), EFAULT);
    message.msg_iov = &part;
    message.msg_name = &nowhere;
    message.msg_namelen = 129;
    CHECK_ERR(aio_sendmsg(&cb, 0), EINVAL);

    cb.aio_reqprio = -1;
    CHECK_ERR(aio_send(&cb, 0), EINVAL);
    CHECK_ERR(aio_accept(&cb, 0, NULL, NULL), EINVAL);
    cb.aio_reqprio = 0;
    cb.aio_sigevent = to_channel(12345, 0);
    CHECK_ERR(aio_send(&cb, 0), EBADF);
    CHECK(aio_error(&cb.aiocb) == EBADF);
}

/* All the calls on one descriptor end so. */
static void blocks(int fd, int error)
{
    char byte;
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    struct aio_cb cb = cb_new(fd, &byte, 1);
    cb.msg_hdr = &message;
    CHECK_OK(aio_send(&cb, 0));
    CB_FAILED(&cb, error);
    CHECK_OK(aio_sendto(&cb, 0, (struct sockaddr *)&nowhere, sizeof nowhere));
    CB_FAILED(&cb, error);
    CHECK_OK(aio_sendmsg(&cb, 0));
    CB_FAILED(&cb, error);
    CHECK_OK(aio_recv(&cb, 0));
    CB_FAILED(&cb, error);
    CHECK_OK(aio_recvfrom(&cb, 0, NULL, NULL));
    CB_FAILED(&cb, error);
    CHECK_OK(aio_recvmsg(&cb, 0));
    CB_FAILED(&cb, error);
    CHECK_OK(aio_accept(&cb, 0, NULL, NULL));
    CB_FAILED(&cb, error);
    CHECK_OK(aio_connect(&cb, (struct sockaddr *)&nowhere, sizeof nowhere));
    CB_FAILED(&cb, error);
}

int main(void)
{
    check_start();
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    int pair[2], file = aio_file(0), fresh = socket_new(TCP4);
    char byte;
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    pair_open(TCP4, pair);
    calls(pair[0]);
    blocks(-1, EBADF);
    blocks(12345, EBADF);
    blocks(file, ENOTSOCK);

    struct aio_cb cb = cb_new(pair[0], (void *)16, 10);
    CHECK(write(pair[1], "x", 1) == 1);
    CHECK_OK(aio_recv(&cb, 0));
    CB_FAILED(&cb, EFAULT);
    CHECK_OK(aio_send(&cb, 0));
    CB_FAILED(&cb, EFAULT);
    cb = cb_new(pair[0], &byte, 1);
    cb.msg_hdr = &message;
    CHECK_OK(aio_accept(&cb, 0, NULL, NULL));
    CB_FAILED(&cb, EINVAL);
    CHECK(close(pair[1]) == 0);
    CHECK(shutdown(pair[0], SHUT_WR) == 0);
    CHECK_OK(aio_send(&cb, 0));
    CB_FAILED(&cb, EPIPE);
    CHECK_OK(aio_sendmsg(&cb, 0));
    CB_FAILED(&cb, EPIPE);
    cb.aio_fildes = fresh;
    CHECK_OK(aio_recv(&cb, 0));
    CB_FAILED(&cb, ENOTCONN);

    int udp = socket_new(UDP4);
    static char large[70000];
    cb = cb_new(udp, large, sizeof large);
    CHECK_OK(aio_send(&cb, 0));
    CHECK(aio_await(&cb.aiocb) == EDESTADDRREQ || aio_error(&cb.aiocb) == EMSGSIZE);
    nowhere.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    nowhere.sin_port = htons(9);
    CHECK_OK(aio_sendto(&cb, 0, (struct sockaddr *)&nowhere, sizeof nowhere));
    CB_FAILED(&cb, EMSGSIZE);
    nowhere.sin_family = 200;
    CHECK_OK(aio_sendto(&cb, 0, (struct sockaddr *)&nowhere, sizeof nowhere));
    CHECK(aio_await(&cb.aiocb) == EAFNOSUPPORT || aio_error(&cb.aiocb) == EMSGSIZE);
    CHECK_OK(aio_connect(&cb, (struct sockaddr *)&nowhere, sizeof nowhere));
    CB_FAILED(&cb, EAFNOSUPPORT);

    /* A write that waits, and whose peer goes. */
    static char lots[1 << 22];
    pair_open(UNIX_STREAM, pair);
    cb = cb_new(pair[0], lots, sizeof lots);
    CHECK_OK(aio_send(&cb, 0));
    CB_WAITS(&cb);
    CHECK(close(pair[1]) == 0);
    CHECK(aio_await(&cb.aiocb) == 0);
    CHECK(aio_return(&cb.aiocb) > 0 && (size_t)aio_return(&cb.aiocb) < sizeof lots);
    CHECK_OK(aio_send(&cb, 0));
    CB_FAILED(&cb, EPIPE);
    return 0;
}
