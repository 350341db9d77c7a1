/* A send of which nothing is to be told ends while the thread waits that has made it: the wait goes on, and
 * does not end as if a signal had come. */
#include "endpoint.h"
#include "threads.h"

enum { BYTES = 8 << 20 };

static int peer;
static _Atomic pid_t waiter;

static void *take_all(void *argument)
{
    static char room[1 << 16];

    wait_asleep(&waiter);
    for (size_t left = BYTES; left > 0;) {
        ssize_t count = recv(peer, room, sizeof room, 0);
        CHECK(count > 0);
        left -= (size_t)count;
    }
    return argument;
}

static void look(enum pair_kind kind)
{
    struct timespec limit = milliseconds(500);
    event_data_t event;
    int pair[2];

    pair_open(kind, pair);
    peer = pair[1];
    struct endpoint end = endpoint_open(pair[0], 2 * BYTES, ATTACHED);
    pthread_t taker = thread_start(take_all, NULL);
    void *block = block_new(end.area, BYTES);
    CHECK_IS(sio_send(end.sock, block, BYTES, SIO_RELEASE | SIO_QUIET), BYTES);
    CHECK_OK(ec_flush(end.ec));
    atomic_store(&waiter, thread_id());
    CHECK_ERR(ec_wait_events(end.ec, &event, 1, &limit, NULL), ETIMEDOUT);
    atomic_store(&waiter, 0);
    thread_end(taker);
    endpoint_close(&end);
    CHECK(close(peer) == 0);
}

/* In a process of its own: a thread that has used a ring that is gone waits in another way. */
static void run(enum pair_kind kind)
{
    run_in_child(look, kind);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
