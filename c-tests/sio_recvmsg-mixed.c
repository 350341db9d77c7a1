/* sio_recv, sio_recvfrom and sio_recvmsg take turns on one socket and see every message once. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, attach);
    for (size_t i = 0; i < 60; i += 3) {
        for (size_t j = i; j < i + 3; j++)
            write_message(pair[1], 200, j);
        void *piece;
        const void *constant;
        CHECK_IS(sio_recv(pair[0], &piece, 300, 0), 200);
        CHECK_PATTERN(piece, 200, i);
        CHECK_OK(sio_release(end.area, piece, 200));
        CHECK_IS(sio_recvmsg(pair[0], &constant, sizeof(struct msghdr), 0), 200);
        CHECK_PATTERN(((const struct msghdr *)constant)->msg_iov[0].iov_base, 200, i + 1);
        CHECK_OK(sio_release(end.area, (void *)(uintptr_t)constant, sizeof(struct msghdr)));
        CHECK_IS(sio_recvfrom(pair[0], &constant, 300, 0, NULL, 0), 200);
        CHECK_PATTERN(constant, 200, i + 2);
        CHECK_OK(sio_release(end.area, (void *)(uintptr_t)constant, 200));
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
