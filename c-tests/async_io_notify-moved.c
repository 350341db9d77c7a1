/* A socket that comes into a channel, or leaves one, takes its registration with it. */
#include "callback.h"

enum move { INTO, OUT, DESTROYED, TO_ANOTHER, DISASSOCIATED, DETACHED, SINGLE_AND_OUT, MOVES };


/* The last wait may have been ended by the callback before, or this one by the last. */
static void wait_for(int expected)
{
    while (atomic_load(&runs) < expected)
        CHECK_OK(async_io_pause());
    CHECK(atomic_load(&runs) == expected);
}

static void run(enum pair_kind kind, enum move move)
{
    int pair[2], before = atomic_load(&runs);
    ec_t single;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 20, move == INTO ? ALONE : ATTACHED);
    if (move == SINGLE_AND_OUT) {
        CHECK_OK(ec_remove(end.ec, end.source));
        CHECK_OK(async_io_notify(pair[0], complete, NULL));
        single = channel_new(EC_SINGLE);
        CHECK_SET(end.source, ec_add_socket(single, pair[0], 0, 0));
        write_pattern(pair[1], 10, 0);
        CHECK(event_wait_for(single, EC_EV_RECV, pair[0]).ev_result == 10);
        CHECK(atomic_load(&runs) == before);
        CHECK_OK(ec_remove(single, end.source));
        CHECK_OK(ec_destroy(single));
        wait_for(before + 1);
        endpoint_close(&end);
        CHECK(close(pair[1]) == 0);
        return;
    }
    CHECK_OK(async_io_notify(pair[0], complete, NULL));
    CHECK_OK(async_io_notify(pair[0], complete, NULL));
    sleep_ms(2);
    switch (move) {
    case INTO:
        end.ec = channel_new(0);
        CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], EC_EDGE, 0));
        break;
    case OUT:
        CHECK_OK(ec_remove(end.ec, end.source));
        break;
    case DESTROYED:
        CHECK_OK(ec_destroy(end.ec));
        end.ec = -1;
        break;
    case TO_ANOTHER:
        CHECK_OK(ec_destroy(end.ec));
        end.ec = channel_new(0);
        CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], 0, 0));
        break;
    case DISASSOCIATED:
        CHECK_OK(dma_disassoc(pair[0], end.area, 0));
        break;
    default:
        CHECK_OK(sio_detach(pair[0]));
    }
    CHECK(atomic_load(&runs) == before);
    write_pattern(pair[1], 10, 0);
    wait_for(before + 2);
    if (move == DISASSOCIATED || move == DETACHED) {
        CHECK(close(pair[0]) == 0);
        CHECK_OK(ec_destroy(end.ec));
        CHECK_OK(dma_free(end.area, end.size));
    } else {
        endpoint_close(&end);
    }
    CHECK(close(pair[1]) == 0);
}

static void run_all(enum pair_kind kind)
{
    for (int move = 0; move < MOVES; move++)
        for (int i = 0; i < 5; i++)
            run(kind, (enum move)move);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run_all);
    return 0;
}
