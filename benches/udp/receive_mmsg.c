/* receive_mmsg: receives datagrams with recvmmsg(2), as many as there are with each call. */
#include "udp.h"

int main(int argc, char **argv)
{
    static unsigned char buffers[BATCH][PAYLOAD_BYTES_MAX];
    static struct mmsghdr messages[BATCH];
    static struct iovec pieces[BATCH];
    volatile uint64_t *counter;
    uint64_t sum = 0;
    int sock = open_socket(argc, argv);

    counter = open_counter(argv);
    for (int i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){buffers[i], sizeof buffers[i]};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (;;) {
        int n = check(recvmmsg(sock, messages, BATCH, MSG_WAITFORONE, NULL), "recvmmsg");
        for (int i = 0; i < n; i++)
            sum += buffers[i][0];
        counter[1] = sum;
        counter[0] += (unsigned)n;
    }
}
