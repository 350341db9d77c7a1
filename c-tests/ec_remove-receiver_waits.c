/* A thread that waits in sio_recv goes on waiting when the socket is taken out of its channel, which is
 * told of nothing more, and in the next channel. */
#include "endpoint.h"
#include "threads.h"

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

static void send_and_wait(int peer, int sum)
{
    write_message(peer, 10, 0);
    while (atomic_load(&received) < sum)
        sched_yield();
    all_asleep();
}

static void run(enum pair_kind kind)
{
    int pair[2], source;
    pthread_t threads[RECEIVERS];
    ec_t channels[2];

    pair_open(kind, pair);
    sock = pair[0];
    area = area_new(1 << 16);
    CHECK_OK(dma_assoc(sock, area, 0, 0));
    for (int i = 0; i < 2; i++)
        CHECK_SET(channels[i], ec_create(0));
    CHECK_SET(source, ec_add_socket(channels[0], sock, 0, 0));
    atomic_store(&received, 0);
    for (int i = 0; i < RECEIVERS; i++) {
        atomic_store(&receivers[i], 0);
        threads[i] = thread_start(receive, (void *)&receivers[i]);
    }
    all_asleep();
    CHECK_OK(ec_remove(channels[0], source));
    all_asleep();
    send_and_wait(pair[1], 10);
    CHECK_SET(source, ec_add_socket(channels[1], sock, 0, 0));
    send_and_wait(pair[1], 20);
    CHECK_OK(ec_remove(channels[1], source));
    CHECK_SET(source, ec_add_socket(channels[0], sock, 0, 0));
    send_and_wait(pair[1], 30);
    check_no_event(channels[1], 10);
    CHECK_OK(sio_detach(sock));
    for (int i = 0; i < RECEIVERS; i++)
        thread_end(threads[i]);
    for (int i = 0; i < 2; i++)
        CHECK_OK(ec_destroy(channels[i]));
    CHECK_OK(dma_free(area, 1 << 16));
    CHECK(close(pair[0]) == 0);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
