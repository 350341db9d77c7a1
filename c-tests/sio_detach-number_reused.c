/*
 * A descriptor number that is reused at once after sio_detach and close: the new socket gets its
 * own data and events, never those of the old one.
 */
#include "check.h"

static void run(enum pair_kind kind)
{
    const size_t size = 1 << 18;
    dma_mem_t area = area_new(size);
    ec_t ec = channel_new(0);
    void *block = block_new(area, 100);
    int number = -1;
    pattern_fill(block, 100, 0);
    for (uint64_t i = 0; i < 60; i++) {
        int pair[2], source;
        pair_open(kind, pair);
        if (number == -1)
            number = fcntl(pair[0], F_DUPFD_CLOEXEC, 100);
        else
            CHECK(dup3(pair[0], number, O_CLOEXEC) == number);
        CHECK(close(pair[0]) == 0);
        CHECK_OK(dma_assoc(number, area, 0, 0));
        CHECK_SET(source, ec_add_socket(ec, number, i % 3 == 0 ? EC_EDGE : 0, i));

        write_message(pair[1], 64, (size_t)i);
        event_data_t event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_RECV && event.ev_fd == number);
        CHECK(event.ev_cookie == i && event.ev_source == source);
        if (i % 2 == 0) {
            void *piece;
            CHECK_IS(sio_recv(number, &piece, 64, 0), 64);
            CHECK_PATTERN(piece, 64, (size_t)i);
            CHECK_OK(sio_release(area, piece, 64));
        }
        /* Leave as much as possible behind: data, events, requests. */
        CHECK_IS(sio_send(number, block, 100, 0), 100);
        write_message(pair[1], 64, 1000);
        CHECK_OK(ec_delay(ec, NULL));
        CHECK_OK(sio_detach(number));
        CHECK(close(number) == 0);
        CHECK(close(pair[1]) == 0);
    }
    check_no_event(ec, 10);
    CHECK_OK(sio_release(area, block, 100));
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, size));
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
