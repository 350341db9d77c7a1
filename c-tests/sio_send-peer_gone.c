/* Sending to a peer that has closed: soon EPIPE or ECONNRESET, no SIGPIPE, and blocks come back. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2], error = 0;
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    void *block = block_new(end.area, 100);
    memset(block, 0, 100);
    CHECK(close(pair[1]) == 0);
    for (int i = 0; i < 1000 && error == 0; i++) {
        errno = 0;
        if (sio_send(pair[0], block, 100, 0) == -1) {
            error = errno;
        } else if (attach == ATTACHED) {
            event_data_t event = event_wait_for(end.ec, EC_EV_SENT, pair[0]);
            error = event.ev_errno;
            CHECK((event.ev_result == 100 && error == 0) || (event.ev_result == -1 && error > 0));
        }
    }
    CHECK(error == EPIPE || error == ECONNRESET);
    CHECK_OK(sio_release(end.area, block, 100));
    endpoint_close(&end);
}

int main(void)
{
    check_start();
    each_pair_attached(CONNECTION_PAIRS, run);
    return 0;
}
