/* ec_remove takes a socket out of its channel: it stays associated and loses no data. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    void *block = block_new(end.area, 90), *piece;
    pattern_fill(block, 90, 6);
    write_message(pair[1], 60, 2);
    CHECK_OK(ec_delay(end.ec, NULL));
    CHECK_OK(ec_remove(end.ec, end.source));
    CHECK_ERR(ec_remove(end.ec, end.source), ENOENT);
    check_no_event(end.ec, 10);

    CHECK_IS(sio_recv(pair[0], &piece, 60, 0), 60);
    CHECK_PATTERN(piece, 60, 2);
    CHECK_OK(sio_release(end.area, piece, 60));
    CHECK_IS(sio_send(pair[0], block, 90, 0), 90);
    read_message(pair[1], 90, 6);
    check_no_event(end.ec, 10);

    CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], 0, 5));
    write_message(pair[1], 30, 3);
    CHECK(event_wait(end.ec).ev_cookie == 5);
    endpoint_read_pattern(&end, 30, 3);
    CHECK_OK(sio_release(end.area, block, 90));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
