/*
 * Addresses: aio_sendto copies the one it is given; aio_recvfrom fills in the sender's and its
 * length, cut to the room there is, whether the message is there already or comes later.
 */
#include "aio_cb.h"

static void run(enum pair_kind kind)
{
    struct sockaddr_storage address[2], from, to;
    socklen_t length[2], fromlen;
    int socks[2];
    char in[16];

    for (int i = 0; i < 2; i++) {
        socks[i] = socket_new(kind);
        CHECK(socket_bind(socks[i], kind, &address[i], &length[i]) == 0);
    }
    for (int round = 0; round < 4; round++) {
        int later = round & 1;
        socklen_t room = round & 2 ? 3 : sizeof from;
        struct aio_cb receive = cb_new(socks[1], in, sizeof in), send;
        memset(&from, 0x5a, sizeof from);
        fromlen = room;
        if (later) {
            CHECK_OK(aio_recvfrom(&receive, 0, (struct sockaddr *)&from, &fromlen));
            CB_WAITS(&receive);
        }
        send = cb_new(socks[0], "hello", 5);
        to = address[1];
        CHECK_OK(aio_sendto(&send, 0, (struct sockaddr *)&to, length[1]));
        memset(&to, 0, sizeof to);
        CB_DONE(&send, 5);
        if (!later)
            CHECK_OK(aio_recvfrom(&receive, 0, (struct sockaddr *)&from, &fromlen));
        CB_DONE(&receive, 5);
        CHECK(memcmp(in, "hello", 5) == 0);
        CHECK(fromlen == length[0]);
        CHECK(memcmp(&from, &address[0], room < length[0] ? room : length[0]) == 0);
        CHECK(room > fromlen || ((char *)&from)[room] == 0x5a);
    }
    /* Nobody asks for the address. */
    struct aio_cb receive = cb_new(socks[1], in, sizeof in), send = cb_new(socks[0], "x", 1);
    CHECK_OK(aio_recvfrom(&receive, 0, NULL, NULL));
    CHECK_OK(aio_sendto(&send, 0, (struct sockaddr *)&address[1], length[1]));
    CB_DONE(&receive, 1);
    CB_DONE(&send, 1);
    /* A connected socket needs none. */
    CHECK(connect(socks[0], (struct sockaddr *)&address[1], length[1]) == 0);
    CHECK_OK(aio_sendto(&send, 0, NULL, 0));
    CB_DONE(&send, 1);
    CHECK(close(socks[0]) == 0 && close(socks[1]) == 0);
}

/* A full queue of the receiver: the address is needed later. */
static void waits(void)
{
    struct sockaddr_storage address, to;
    socklen_t length;
    int sender = socket_new(UNIX_DGRAM), receiver = socket_new(UNIX_DGRAM), sent = 0;
    char in[16];
    CHECK(socket_bind(receiver, UNIX_DGRAM, &address, &length) == 0);
    while (sendto(sender, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&address, length) == 1)
        sent++;
    struct aio_cb send = cb_new(sender, "last", 4);
    to = address;
    CHECK_OK(aio_sendto(&send, 0, (struct sockaddr *)&to, length));
    memset(&to, 0, sizeof to);
    CB_WAITS(&send);
    for (; sent > 0; sent--)
        CHECK(recv(receiver, in, sizeof in, 0) == 1);
    CB_DONE(&send, 4);
    CHECK(recv(receiver, in, sizeof in, 0) == 4 && memcmp(in, "last", 4) == 0);
    CHECK(close(sender) == 0 && close(receiver) == 0);
}

int main(void)
{
    check_start();
    each_pair(DATAGRAM_PAIRS, run);
    waits();
    return 0;
}
