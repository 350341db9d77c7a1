/* Threads that receive from one socket until it is detached. */
#ifndef RECEIVERS_H
#define RECEIVERS_H

#include "check.h"

enum { RECEIVERS = 3 };

static int receivers_sock;
static dma_mem_t receivers_area;
static pthread_t receivers_threads[RECEIVERS];
static _Atomic pid_t receivers[RECEIVERS];
static _Atomic int received;

static inline void *receive(void *own)
{
    void *piece;
    int got;

    atomic_store((_Atomic pid_t *)own, thread_id());
    while ((got = sio_recv(receivers_sock, &piece, 10, 0)) > 0) {
        CHECK_OK(sio_release(receivers_area, piece, (size_t)got));
        atomic_fetch_add(&received, got);
    }
    CHECK(got == -1 && errno == EINVAL);
    return NULL;
}

static inline void receivers_asleep(void)
{
    for (int i = 0; i < RECEIVERS; i++)
        wait_asleep(&receivers[i]);
}

/* The socket is associated with the area. They sleep. */
static inline void receivers_start(int sock, dma_mem_t area)
{
    receivers_sock = sock;
    receivers_area = area;
    atomic_store(&received, 0);
    for (int i = 0; i < RECEIVERS; i++) {
        atomic_store(&receivers[i], 0);
        receivers_threads[i] = thread_start(receive, (void *)&receivers[i]);
    }
    receivers_asleep();
}

/* One of them gets a message, and all sleep again: `sum` bytes have been received then. */
static inline void receivers_get(int peer, int sum)
{
    write_message(peer, 10, 0);
    while (atomic_load(&received) < sum)
        sched_yield();
    receivers_asleep();
}

/* The socket has been detached. */
static inline void receivers_end(void)
{
    for (int i = 0; i < RECEIVERS; i++)
        thread_end(receivers_threads[i]);
}

#endif
