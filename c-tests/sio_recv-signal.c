/* A caught signal ends a sio_recv that waits with EINTR, with SA_RESTART too. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    void *piece = &pair;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    timer_t timer = signal_start();
    CHECK_ERR(sio_recv(pair[0], &piece, 10, 0), EINTR);
    CHECK(timer_delete(timer) == 0);
    CHECK(piece == &pair);
    write_message(pair[1], 10, 0);
    endpoint_read_pattern(&end, 10, 0);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    signal_catch();
    each_pair_attached(ALL_PAIRS, run);
    signal_catch_with(SA_RESTART);
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
