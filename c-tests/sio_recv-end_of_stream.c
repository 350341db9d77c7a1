/* At the end of a stream sio_recv and its sisters return 0 and no block, as often as asked. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    write_message(pair[1], 33, 0);
    CHECK(shutdown(pair[1], SHUT_WR) == 0);
    endpoint_read_pattern(&end, 33, 0);
    for (int i = 0; i < 3; i++) {
        void *piece = &pair;
        const void *constant = &pair;
        CHECK_IS(sio_recv(pair[0], &piece, 10, 0), 0);
        CHECK(piece == NULL);
        CHECK_IS(sio_recvfrom(pair[0], &constant, 10, 0, NULL, 0), 0);
        CHECK(constant == NULL);
        constant = &pair;
        CHECK_IS(sio_recvmsg(pair[0], &constant, sizeof(struct msghdr), 0), 0);
        CHECK(constant == NULL);
    }
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(CONNECTION_PAIRS, run);
    return 0;
}
