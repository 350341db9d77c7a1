/*
 * A message that waits because its receiver has no room is sent whole when it has: be it that the
 * sender's buffer is full, or the queue of the peer.
 */
#include "aio.h"

static void run(const int pair[2])
{
    int sent = 0;
    char in[16];
    while (send(pair[0], "x", 1, MSG_DONTWAIT) == 1)
        sent++;
    struct aiocb block = aio_block(pair[0], "last", 4, 0);
    CHECK_OK(aio_write(&block));
    sleep_ms(10);
    CHECK(aio_error(&block) == EINPROGRESS);
    for (; sent > 0; sent--)
        CHECK(recv(pair[1], in, sizeof in, 0) == 1);
    CHECK_DONE(&block, 4);
    CHECK(recv(pair[1], in, sizeof in, 0) == 4 && memcmp(in, "last", 4) == 0);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

static void run_pair(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    run(pair);
}

static void run_named(void)
{
    struct sockaddr_storage address;
    socklen_t length;
    int pair[2] = { socket_new(UNIX_DGRAM), socket_new(UNIX_DGRAM) };
    CHECK(socket_bind(pair[1], UNIX_DGRAM, &address, &length) == 0);
    CHECK(connect(pair[0], (struct sockaddr *)&address, length) == 0);
    run(pair);
}

int main(void)
{
    check_start();
    run_pair(UNIX_DGRAM);
    run_pair(UNIX_SEQPACKET);
    run_named();
    return 0;
}
