/*
 * A message that waits because its receiver has no room is sent whole when it has.
 */
#include "aio.h"

static void run(enum pair_kind kind)
{
    int pair[2], sent = 0;
    char in[16];
    pair_open(kind, pair);
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

int main(void)
{
    check_start();
    run(UNIX_DGRAM);
    run(UNIX_SEQPACKET);
    return 0;
}
