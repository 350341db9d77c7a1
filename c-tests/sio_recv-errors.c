/* sio_recv and its sisters refuse a size of 0 and null pointers, and lose nothing by it. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    void *piece;
    const void *constant;
    struct sockaddr_storage from;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    write_message(pair[1], 10, 0);
    endpoint_wait(&end);
    CHECK_ERR(sio_recv(pair[0], NULL, 10, 0), EFAULT);
    CHECK_ERR(sio_recv(pair[0], &piece, 0, 0), EINVAL);
    CHECK_ERR(sio_recvfrom(pair[0], NULL, 10, 0, NULL, 0), EFAULT);
    CHECK_ERR(sio_recvfrom(pair[0], &constant, 0, 0, (struct sockaddr *)&from, sizeof from),
              EINVAL);
    CHECK_ERR(sio_recvmsg(pair[0], NULL, sizeof(struct msghdr), 0), EFAULT);
    CHECK_ERR(sio_recvmsg(pair[0], &constant, 0, 0), EINVAL);
    CHECK_ERR(sio_recvmsg(pair[0], &constant, sizeof(struct msghdr) - 1, 0), EINVAL);
    CHECK_ERR(sio_recvmsg(pair[0], &constant, sizeof(struct msghdr) + 1, 0), EINVAL);
    CHECK_ERR(sio_recvmsg(pair[0], &constant, 4096, 0), EINVAL);
    endpoint_read_pattern(&end, 10, 0);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
