/* send_mmsg: sends small datagrams with sendmmsg(2), as many as there are with each call. */
#include "udp.h"

int main(int argc, char **argv)
{
    static unsigned char payload[SENT_BYTES] = {1};
    static struct mmsghdr messages[SEND_BATCH];
    struct iovec piece = {payload, sizeof payload};
    volatile uint64_t *counter;
    int sock = open_sender(argc, argv);

    counter = open_counter(argv);
    for (int i = 0; i < SEND_BATCH; i++) {
        messages[i].msg_hdr.msg_iov = &piece;
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (;;)
        counter[0] += (unsigned)check(sendmmsg(sock, messages, SEND_BATCH, 0), "sendmmsg");
}
