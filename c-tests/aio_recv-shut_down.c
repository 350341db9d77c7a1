/* Requests that wait for datagrams end when their socket is shut down for receiving, as recv(2) does,
 * and those that come later end at once. */
#include "aio_cb.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    char bytes[3][10];

    for (int is_before = 0; is_before < 2; is_before++) {
        pair_open(kind, pair);
        if (is_before)
            CHECK(shutdown(pair[0], SHUT_RD) == 0);
        struct aiocb read = aio_block(pair[0], bytes[0], sizeof bytes[0], 0);
        struct aio_cb receive = cb_new(pair[0], bytes[1], sizeof bytes[1]);
        struct iovec piece = { bytes[2], sizeof bytes[2] };
        struct msghdr header = { .msg_iov = &piece, .msg_iovlen = 1 };
        struct aio_cb message = cb_new(pair[0], NULL, 0);
        message.msg_hdr = &header;
        CHECK_OK(aio_read(&read));
        CHECK_OK(aio_recv(&receive, 0));
        CHECK_OK(aio_recvmsg(&message, 0));
        if (!is_before) {
            CB_WAITS(&receive);
            CHECK(shutdown(pair[0], SHUT_RD) == 0);
        }
        CHECK_DONE(&read, 0);
        CB_DONE(&receive, 0);
        CB_DONE(&message, 0);
        CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    }
}

int main(void)
{
    check_start();
    each_pair(DATAGRAM_PAIRS, run);
    return 0;
}
