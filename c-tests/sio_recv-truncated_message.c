/*
 * A message longer than what is asked for is cut; the rest is gone. With MSG_TRUNC the call tells
 * the real length. The block has the size that was asked for.
 */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    void *piece;
    const void *constant;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, attach);
    for (int i = 0; i < 3; i++) {
        write_message(pair[1], 1000, 1);
        write_message(pair[1], 1000, 2);
        write_message(pair[1], 50, 3);
        write_message(pair[1], 1000, 4);
        CHECK_IS(sio_recv(pair[0], &piece, 100, 0), 100);
        CHECK_PATTERN(piece, 100, 1);
        CHECK_OK(sio_release(end.area, piece, 100));
        CHECK_IS(sio_recv(pair[0], &piece, 100, MSG_TRUNC), 1000);
        CHECK_PATTERN(piece, 100, 2);
        CHECK_ERR(sio_release(end.area, piece, 1000), EINVAL);
        CHECK_OK(sio_release(end.area, piece, 100));
        CHECK_IS(sio_recv(pair[0], &piece, 100, MSG_TRUNC), 50);
        CHECK_PATTERN(piece, 50, 3);
        CHECK_OK(sio_release(end.area, piece, 50));
        CHECK_IS(sio_recvfrom(pair[0], &constant, 10, MSG_TRUNC, NULL, 0), 1000);
        CHECK_PATTERN(constant, 10, 4);
        CHECK_OK(sio_release(end.area, (void *)(uintptr_t)constant, 10));
    }
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(MESSAGE_PAIRS, run);
    return 0;
}
