/* A thread that waits in sio_recv learns at once that the socket is attached to a channel, and goes on there,
 * or that it is taken out of the library, though nothing arrives. */
#include "check.h"

#define RECEIVERS 3

static int sock;
static dma_mem_t area;
static _Atomic pid_t receivers[RECEIVERS];
static _Atomic int received;

static void *receive(void *own)
{
    void *piece;
    int got;

    atomic_store((_Atomic pid_t *)own, thread_id());
    while ((got = sio_recv(sock, &piece, 10, 0)) > 0) {
        CHECK_OK(sio_release(area, piece, (size_t)got));
        atomic_fetch_add(&received, got);
    }
    CHECK(got == -1 && errno == EINVAL);
    return NULL;
}

static void all_asleep(void)
{
    for (int i = 0; i < RECEIVERS; i++)
        wait_asleep(&receivers[i]);
}

static void run_until(enum pair_kind kind, int is_attached)
{
    int pair[2];
    pthread_t threads[RECEIVERS];
    ec_t ec;

    pair_open(kind, pair);
    sock = pair[0];
    area = area_new(1 << 16);
    CHECK_OK(dma_assoc(sock, area, 0, 0));
    CHECK_SET(ec, ec_create(0));
    atomic_store(&received, 0);
    for (int i = 0; i < RECEIVERS; i++) {
        atomic_store(&receivers[i], 0);
        threads[i] = thread_start(receive, (void *)&receivers[i]);
    }
    all_asleep();
    if (is_attached) {
        CHECK(ec_add_socket(ec, sock, 0, 0) >= 0);
        /* What arrives now is the channel's, which has it for whoever asks. */
        write_message(pair[1], 10, 0);
        while (atomic_load(&received) < 10)
            sched_yield();
        all_asleep();
    }
    CHECK_OK(sio_detach(sock));
    for (int i = 0; i < RECEIVERS; i++)
        thread_end(threads[i]);
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, 1 << 16));
    CHECK(close(pair[0]) == 0);
    CHECK(close(pair[1]) == 0);
}

static void run(enum pair_kind kind)
{
    run_until(kind, 0);
    run_until(kind, 1);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
