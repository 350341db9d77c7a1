/*
 * Data that comes while the socket is being disassociated: where the call fails with EBUSY the
 * socket is in its channel as before, and what has come is there, of a stream in order.
 */
#include "check.h"

#define MESSAGES 15000u

static _Atomic int sent;

/* Numbers, as they are in memory. */
static void *send_numbers(void *peer)
{
    for (unsigned number = 0; number < MESSAGES; number++) {
        CHECK(send(*(int *)peer, &number, sizeof number, MSG_NOSIGNAL) == sizeof number);
        atomic_store(&sent, (int)number + 1);
        if (number % 16 == 0)
            sched_yield();
    }
    return NULL;
}

/* Fetches what there is; the next number. What finds no room is lost, if it is a message. */
static unsigned fetch(enum pair_kind kind, int sock, dma_mem_t area, unsigned next)
{
    void *piece;
    int got;
    while ((got = sio_recv(sock, &piece, sizeof next, MSG_DONTWAIT)) > 0) {
        unsigned number = next;
        memcpy(&number, piece, (size_t)got);
        CHECK_OK(sio_release(area, piece, (size_t)got));
        if (got < (int)sizeof next) {      /* the end of a buffer has split it */
            int rest = sio_recv(sock, &piece, sizeof next - (size_t)got, MSG_DONTWAIT);
            CHECK(rest == (int)sizeof next - got);
            memcpy((char *)&number + got, piece, (size_t)rest);
            CHECK_OK(sio_release(area, piece, (size_t)rest));
        }
        CHECK(pair_is_stream(kind) ? number == next : number < MESSAGES);
        next = number + 1;
    }
    CHECK(got == -1 && errno == EAGAIN);
    return next;
}

static void run_with(enum pair_kind kind, unsigned flags)
{
    const size_t size = 4 << 20;
    int pair[2], source;
    unsigned next = 0;
    dma_mem_t area = area_new(size);
    ec_t ec;

    pair_open(kind, pair);
    CHECK_SET(ec, ec_create(flags));
    atomic_store(&sent, 0);
    pthread_t thread = thread_start(send_numbers, &pair[1]);
    while (atomic_load(&sent) < (int)MESSAGES) {
        CHECK_OK(dma_assoc(pair[0], area, 0, 0));
        CHECK_SET(source, ec_add_socket(ec, pair[0], 0, 0));
        next = fetch(kind, pair[0], area, next);
        while (dma_disassoc(pair[0], area, 0) == -1) {
            CHECK(errno == EBUSY);
            CHECK_OK(ec_modify(ec, source, 0, 0));
            next = fetch(kind, pair[0], area, next);
        }
        CHECK_ERR(ec_modify(ec, source, 0, 0), ENOENT);
    }
    thread_end(thread);
    CHECK_OK(dma_free(area, size));
    CHECK_OK(ec_destroy(ec));
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

static void run(enum pair_kind kind)
{
    run_with(kind, 0);
    run_with(kind, EC_SINGLE);
}

int main(void)
{
    check_start();
    each_pair(1u << TCP4 | 1u << UDP4, run);
    return 0;
}
