/* The receiving calls take four flags; EOPNOTSUPP or EINVAL for all others, and nothing is lost. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    static const int good[] = { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_CMSG_CLOEXEC };
    static const int unsupported[] = { MSG_PEEK, MSG_WAITALL, MSG_OOB, MSG_ERRQUEUE };
    const unsigned known = MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC | MSG_NOSIGNAL | MSG_PEEK |
                           MSG_WAITALL | MSG_OOB | MSG_ERRQUEUE;
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    void *piece = &pair;
    const void *constant = &pair;
    write_message(pair[1], 10, 0);
    endpoint_wait(&end);
    for (size_t i = 0; i < sizeof unsupported / sizeof unsupported[0]; i++) {
        CHECK_ERR(sio_recv(pair[0], &piece, 10, unsupported[i]), EOPNOTSUPP);
        CHECK_ERR(sio_recvfrom(pair[0], &constant, 10, unsupported[i], NULL, 0), EOPNOTSUPP);
        CHECK_ERR(sio_recvmsg(pair[0], &constant, sizeof(struct msghdr), unsupported[i]),
                  EOPNOTSUPP);
    }
    for (int bit = 0; bit < 32; bit++) {
        if ((1u << bit & known) != 0)
            continue;
        CHECK_ERR(sio_recv(pair[0], &piece, 10, (int)(1u << bit)), EINVAL);
        CHECK_ERR(sio_recvfrom(pair[0], &constant, 10, (int)(1u << bit), NULL, 0), EINVAL);
        CHECK_ERR(sio_recvmsg(pair[0], &constant, sizeof(struct msghdr), (int)(1u << bit)),
                  EINVAL);
    }
    CHECK(piece == &pair && constant == &pair);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK_IS(sio_recv(pair[0], &piece, 10, good[i]), 10);
        CHECK_PATTERN(piece, 10, i);
        CHECK_OK(sio_release(end.area, piece, 10));
        write_message(pair[1], 10, i + 1);
        endpoint_wait(&end);
    }
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
