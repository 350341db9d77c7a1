/* A thread that waits on the socket's channel and fetches its events does not keep the callback from
 * running, nor the callback it from its events. */
#include "callback.h"

#define ROUNDS 200

static struct endpoint end;
static _Atomic int events, stop;

static void *fetcher(void *argument)
{
    struct timespec limit = milliseconds(50);
    event_data_t event;
    while (!atomic_load(&stop)) {
        if (ec_wait_events(end.ec, &event, 1, &limit, NULL) == 1) {
            CHECK(event.ev_type == EC_EV_RECV);
            atomic_fetch_add(&events, 1);
        } else {
            CHECK(errno == ETIMEDOUT);
        }
    }
    return argument;
}

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    end = endpoint_open(pair[0], 1 << 20, ATTACHED);
    atomic_store(&runs, 0);
    atomic_store(&stop, 0);
    pthread_t thread = thread_start(fetcher, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        void *piece;
        CHECK_OK(async_io_notify(pair[0], complete, NULL));
        if (i % 10 == 0)
            sleep_ms(1);
        int before = atomic_load(&events);
        write_pattern(pair[1], 10, (size_t)i);
        CHECK_OK(async_io_pause());
        CHECK(atomic_load(&runs) == i + 1);
        while (atomic_load(&events) == before)
            sched_yield();
        CHECK_IS(sio_recv(pair[0], &piece, 10, 0), 10);
        CHECK_PATTERN(piece, 10, (size_t)i);
        CHECK_OK(sio_release(end.area, piece, 10));
    }
    atomic_store(&stop, 1);
    thread_end(thread);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
