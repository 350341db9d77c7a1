/* A received block that was released is not the program's to send: EFAULT. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    void *piece;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    write_message(pair[1], 100, 0);
    CHECK_IS(sio_recv(pair[0], &piece, 100, 0), 100);
    CHECK_ERR(sio_send(pair[0], piece, 101, 0), EFAULT);
    CHECK_ERR(sio_send(pair[0], (char *)piece + 100, 1, 0), EFAULT);
    CHECK_OK(sio_release(end.area, piece, 100));
    CHECK_ERR(sio_send(pair[0], piece, 100, 0), EFAULT);
    check_silent(pair[1], 10);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
