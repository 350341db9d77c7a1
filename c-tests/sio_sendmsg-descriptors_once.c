/* A message that a stream takes in parts passes its descriptors once, with its first byte. */
#include "rights.h"

#define SIZE (2 << 20)

static int peer;

static void *receiver(void *argument)
{
    static char data[1 << 16];
    size_t have = 0;
    int passed = 0;
    (void)argument;
    while (have < SIZE) {
        union control control;
        struct iovec room = { data, sizeof data };
        struct msghdr message;
        memset(&message, 0, sizeof message);
        message.msg_iov = &room;
        message.msg_iovlen = 1;
        message.msg_control = &control;
        message.msg_controllen = sizeof control.bytes;
        ssize_t count = recvmsg(peer, &message, MSG_CMSG_CLOEXEC);
        CHECK(count > 0);
        CHECK_PATTERN(data, (size_t)count, have);
        if (message.msg_controllen > 0) {
            CHECK(have == 0);
            CHECK(close(take_descriptor(&message)) == 0);
            passed++;
        }
        have += (size_t)count;
    }
    CHECK(have == SIZE && passed == 1);
    return NULL;
}

static void send_one(int flags, enum attach attach)
{
    union control control;
    int pair[2];
    pair_open(UNIX_STREAM, pair);
    peer = pair[1];
    struct endpoint end = endpoint_open(pair[0], SIZE, attach);
    void *block = block_new(end.area, SIZE);
    pattern_fill(block, SIZE, 0);
    struct iovec part = { block, SIZE };
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    put_descriptor(&message, &control, STDERR_FILENO);
    pthread_t thread = thread_start(receiver, NULL);
    CHECK_IS(sio_sendmsg(pair[0], &message, sizeof message, flags), SIZE);
    if (attach == ATTACHED)
        CHECK(event_wait_for(end.ec, EC_EV_SENT, pair[0]).ev_result == SIZE);
    thread_end(thread);
    CHECK_OK(sio_release(end.area, block, SIZE));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    send_one(0, ATTACHED);
    send_one(0, ALONE);
    send_one(MSG_DONTWAIT, ALONE);
    return 0;
}
