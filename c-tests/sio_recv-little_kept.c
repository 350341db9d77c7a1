/*
 * A program that keeps a little of each of many messages keeps little of the area: what others
 * receive meanwhile is not held back, though the kernel may put both into one buffer.
 */
#include "check.h"

#define AREA (1 << 20)
#define LITTLE 16
#define MUCH 10000
#define ROUNDS 1000

static void take(ec_t ec, int sock, char *to_keep[], dma_mem_t area, size_t wanted, size_t at)
{
    for (size_t got = 0; got < wanted;) {
        void *block;
        int size = sio_recv(sock, &block, wanted - got, MSG_DONTWAIT);
        if (size == -1) {
            CHECK(errno == EAGAIN);
            event_data_t event = event_wait(ec);
            CHECK(event.ev_type == EC_EV_RECV && event.ev_errno == 0);
            continue;
        }
        CHECK(size > 0);
        CHECK_PATTERN(block, (size_t)size, at + got);
        if (to_keep)
            to_keep[at / LITTLE] = block;
        else
            CHECK_OK(sio_release(area, block, (size_t)size));
        CHECK(!to_keep || size == LITTLE);
        got += (size_t)size;
    }
}

int main(void)
{
    static char *kept[ROUNDS];
    static const unsigned flags[] = { 0, EC_SINGLE };
    int slow[2], busy[2];

    check_start();
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        dma_mem_t area = area_new(AREA);
        ec_t ec = channel_new(flags[i]);
        pair_open(TCP4, slow);
        pair_open(TCP4, busy);
        CHECK_OK(dma_assoc(slow[0], area, 0, 0));
        CHECK_OK(dma_assoc(busy[0], area, 0, 0));
        CHECK(ec_add_socket(ec, slow[0], 0, 0) >= 0);
        CHECK(ec_add_socket(ec, busy[0], 0, 0) >= 0);
        for (size_t round = 0; round < ROUNDS; round++) {
            write_pattern(slow[1], LITTLE, round * LITTLE);
            take(ec, slow[0], kept, area, LITTLE, round * LITTLE);
            write_pattern(busy[1], MUCH, 0);
            take(ec, busy[0], NULL, area, MUCH, 0);
        }
        for (size_t round = 0; round < ROUNDS; round++) {
            CHECK_PATTERN(kept[round], LITTLE, round * LITTLE);
            CHECK_OK(sio_release(area, kept[round], LITTLE));
        }
        CHECK_OK(sio_detach(slow[0]));
        CHECK_OK(sio_detach(busy[0]));
        CHECK_OK(ec_destroy(ec));
        CHECK_OK(dma_free(area, AREA));
        for (int end = 0; end < 2; end++)
            CHECK(close(slow[end]) == 0 && close(busy[end]) == 0);
    }
    return 0;
}
