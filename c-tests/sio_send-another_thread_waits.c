/* An accepted send goes out at once when another thread waits on the channel: no call is needed. */
#include "check.h"

static ec_t ec;
static int sock;
static _Atomic pid_t waiter_id;
static _Atomic int sent;

static void *waiter(void *argument)
{
    (void)argument;
    atomic_store(&waiter_id, thread_id());
    while (atomic_load(&sent) < 20) {
        event_data_t event;
        CHECK_IS(ec_wait_events(ec, &event, 1, NULL, NULL), 1);
        CHECK(event.ev_type == EC_EV_SENT && event.ev_fd == sock && event.ev_result == 100);
        atomic_fetch_add(&sent, 1);
    }
    return NULL;
}

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    void *block = block_new(end.area, 100);
    pattern_fill(block, 100, 0);
    ec = end.ec;
    sock = pair[0];
    atomic_store(&waiter_id, 0);
    atomic_store(&sent, 0);
    pthread_t thread = thread_start(waiter, NULL);
    wait_asleep(&waiter_id);
    for (int i = 0; i < 20; i++) {
        CHECK_IS(sio_send(pair[0], block, 100, 0), 100);
        CHECK(is_readable(pair[1], WAIT_MS));
        read_message(pair[1], 100, 0);
        while (atomic_load(&sent) == i)
            sched_yield();
    }
    thread_end(thread);
    CHECK_OK(sio_release(end.area, block, 100));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
