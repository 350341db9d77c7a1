/*
 * An associated socket: the callback runs when data has arrived in the area, in no channel and in
 * a shared one, and whether the data or the registration comes first.
 */
#include "callback.h"

static void receive(struct endpoint *end, size_t size, size_t at)
{
    void *piece = NULL;
    CHECK_IS(sio_recv(end->sock, &piece, 4096, MSG_DONTWAIT), (int)size);
    CHECK_PATTERN(piece, size, at);
    CHECK_OK(sio_release(end->area, piece, size));
}

static void send_to(int peer, enum pair_kind kind, size_t size, size_t at)
{
    if (pair_is_stream(kind))
        write_pattern(peer, size, at);
    else
        write_message(peer, size, at);
}

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 2 << 20, attach);
    for (int i = 0; i < 40; i++) {
        size_t at = (size_t)i * 1000;
        int before = atomic_load(&runs);
        if (i % 2 == 0)
            send_to(pair[1], kind, 100, at);
        if (i % 4 == 0)
            endpoint_wait(&end);
        CHECK_OK(async_io_notify(pair[0], complete, NULL));
        if (i % 2 == 1) {
            CHECK(atomic_load(&runs) == before);
            if (i % 8 == 1)
                sleep_ms(5);
            send_to(pair[1], kind, 100, at);
        }
        CHECK_OK(async_io_pause());
        CHECK(atomic_load(&runs) == before + 1);
        receive(&end, 100, at);
    }
    /* The event is there as well. */
    if (attach == ATTACHED) {
        send_to(pair[1], kind, 50, 0);
        CHECK(event_wait_for(end.ec, EC_EV_RECV, pair[0]).ev_result == 50);
        receive(&end, 50, 0);
    }
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

static void run_both(enum pair_kind kind)
{
    each_attach(kind, run);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run_both);
    return 0;
}
