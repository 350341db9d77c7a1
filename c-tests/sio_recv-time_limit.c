/* SO_RCVTIMEO holds for a socket in no channel: EAGAIN when the time is over. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    void *piece;
    struct timeval limit = { 0, 30000 };
    pair_open(kind, pair);
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    CHECK_ERR(sio_recv(pair[0], &piece, 10, 0), EAGAIN);
    write_message(pair[1], 10, 0);
    endpoint_read_pattern(&end, 10, 0);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
