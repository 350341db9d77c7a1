/* Sending on a connection that is shut down: EPIPE, at once or with the event, and no SIGPIPE. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    void *block = block_new(end.area, 100);
    CHECK(shutdown(pair[0], SHUT_WR) == 0);
    endpoint_send_fails(&end, block, 100, 0, EPIPE, EPIPE);
    /* A quiet send is told when it fails. */
    endpoint_send_fails(&end, block, 100, SIO_QUIET, EPIPE, EPIPE);
    CHECK_OK(sio_release(end.area, block, 100));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(CONNECTION_PAIRS, run);
    return 0;
}
