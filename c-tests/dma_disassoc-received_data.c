/*
 * dma_disassoc while received data waits: EBUSY if the library holds it, and it can be fetched
 * then; if the kernel holds it still, recv(2) gets it afterwards. Either way nothing is lost.
 */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    write_message(pair[1], 100, 0);
    endpoint_wait(&end);
    errno = 0;
    if (dma_disassoc(pair[0], end.area, 0) == -1) {
        CHECK(errno == EBUSY);
        void *piece;
        CHECK_IS(sio_recv(pair[0], &piece, 100, 0), 100);
        CHECK_PATTERN(piece, 100, 0);
        CHECK_OK(sio_release(end.area, piece, 100));
        CHECK_OK(dma_disassoc(pair[0], end.area, 0));
    } else {
        read_message(pair[0], 100, 0);
    }
    /* It is an ordinary socket again. */
    write_message(pair[1], 30, 4);
    read_message(pair[0], 30, 4);
    if (attach == ATTACHED) {
        check_no_event(end.ec, 10);
        CHECK_OK(ec_destroy(end.ec));
    }
    CHECK_OK(dma_free(end.area, end.size));
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
