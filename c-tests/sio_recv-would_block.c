/* When nothing waits, MSG_DONTWAIT or O_NONBLOCK give EAGAIN, in all three receiving calls. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    void *piece = &pair;
    const void *constant = &pair;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    for (int way = 0; way < 2; way++) {
        int flags = way == 0 ? MSG_DONTWAIT : 0;
        set_nonblocking(pair[0], way);
        CHECK_ERR(sio_recv(pair[0], &piece, 10, flags), EAGAIN);
        CHECK_ERR(sio_recvfrom(pair[0], &constant, 10, flags, NULL, 0), EAGAIN);
        CHECK_ERR(sio_recvmsg(pair[0], &constant, sizeof(struct msghdr), flags), EAGAIN);
    }
    CHECK(piece == &pair && constant == &pair);
    write_message(pair[1], 10, 0);
    endpoint_wait(&end);
    CHECK_IS(sio_recv(pair[0], &piece, 10, 0), 10);
    void *none;
    CHECK_ERR(sio_recv(pair[0], &none, 10, 0), EAGAIN);
    CHECK_OK(sio_release(end.area, piece, 10));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
