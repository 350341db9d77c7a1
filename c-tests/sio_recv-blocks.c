/* On a blocking socket sio_recv waits for data, also in a channel that nobody else looks after. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    pid_t writer = child_start();
    if (writer == 0) {
        for (size_t i = 0; i < 5; i++) {
            sleep_ms(20);
            write_message(pair[1], 100, i);
        }
        _exit(0);
    }
    for (size_t i = 0; i < 5; i++) {
        void *piece;
        CHECK_IS(sio_recv(pair[0], &piece, 100, 0), 100);
        CHECK_PATTERN(piece, 100, i);
        CHECK_OK(sio_release(end.area, piece, 100));
    }
    child_end(writer);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
