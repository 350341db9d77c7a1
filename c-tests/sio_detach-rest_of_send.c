/*
 * A socket that is detached and associated again while the rest of a send is on its way: what is sent
 * next comes after it.
 */
#include "check.h"

#define PIECE (300 * 1000)
#define PIECES 60

static void *read_all(void *peer)
{
    read_pattern(*(int *)peer, (size_t)PIECES * PIECE, 0);
    return NULL;
}

static void run(enum pair_kind kind)
{
    const size_t size = 1 << 20;
    int pair[2], sent;
    dma_mem_t area = area_new(size);
    unsigned char *block = block_new(area, PIECE);

    pair_open(kind, pair);
    set_nonblocking(pair[0], 1);
    pthread_t thread = thread_start(read_all, &pair[1]);
    for (size_t i = 0; i < PIECES; i++) {
        pattern_fill(block, PIECE, i * PIECE);
        CHECK_OK(dma_assoc(pair[0], area, 0, 0));
        while ((sent = sio_send(pair[0], block, PIECE, 0)) == -1) {
            CHECK(errno == EAGAIN);
            sched_yield();
        }
        CHECK(sent == PIECE);
        CHECK_OK(sio_detach(pair[0]));
    }
    thread_end(thread);
    CHECK_OK(sio_release(area, block, PIECE));
    CHECK_OK(dma_free(area, size));
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
