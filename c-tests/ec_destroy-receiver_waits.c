/* A thread that waits in sio_recv for a socket of a channel is woken when the channel is destroyed, and
 * its call fails with EBADF; the socket stays associated, and what comes then is received. */
#include "check.h"

static int pair[2];
static _Atomic pid_t waiter_id;

static void *wait_for_data(void *argument)
{
    void *piece = &pair;

    (void)argument;
    atomic_store(&waiter_id, thread_id());
    CHECK_ERR(sio_recv(pair[0], &piece, 10, 0), EBADF);
    CHECK(piece == &pair);
    return NULL;
}

static void run(enum pair_kind kind, int threads)
{
    pthread_t waiters[2];
    void *piece;
    dma_mem_t area = area_new(1 << 16);
    ec_t ec = channel_new(0);

    pair_open(kind, pair);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    CHECK(ec_add_socket(ec, pair[0], 0, 0) >= 0);
    for (int i = 0; i < threads; i++) {
        atomic_store(&waiter_id, 0);
        waiters[i] = thread_start(wait_for_data, NULL);
        wait_asleep(&waiter_id);
    }
    CHECK_OK(ec_destroy(ec));
    for (int i = 0; i < threads; i++)
        thread_end(waiters[i]);
    write_message(pair[1], 10, 0);
    CHECK_IS(sio_recv(pair[0], &piece, 10, 0), 10);
    CHECK_OK(sio_release(area, piece, 10));
    CHECK_OK(dma_disassoc(pair[0], area, 0));
    CHECK_OK(dma_free(area, 1 << 16));
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

static void each(enum pair_kind kind)
{
    run(kind, 1);
    run(kind, 2);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, each);
    return 0;
}
