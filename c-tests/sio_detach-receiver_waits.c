/* A thread that waits in sio_recv gets nothing of a socket that was detached meanwhile: its area may be
 * gone, and what arrives is the kernel's to deliver. */
#include "check.h"

static _Atomic pid_t receiver;

static void *receive(void *argument)
{
    void *piece = argument;
    atomic_store(&receiver, thread_id());
    CHECK_ERR(sio_recv(*(int *)argument, &piece, 10, 0), EINVAL);
    CHECK(piece == argument);
    return NULL;
}

static void run(enum pair_kind kind)
{
    for (int again = 0; again < 2; again++) {
        int pair[2];
        pair_open(kind, pair);
        dma_mem_t area = area_new(1 << 16);
        CHECK_OK(dma_assoc(pair[0], area, 0, 0));
        atomic_store(&receiver, 0);
        pthread_t thread = thread_start(receive, &pair[0]);
        wait_asleep(&receiver);
        CHECK_OK(sio_detach(pair[0]));
        CHECK_OK(dma_free(area, 1 << 16));
        if (again) {
            area = area_new(1 << 16);
            CHECK_OK(dma_assoc(pair[0], area, 0, 0));
        }
        write_message(pair[1], 10, 0);
        thread_end(thread);
        if (again) {
            CHECK_OK(sio_detach(pair[0]));
            CHECK_OK(dma_free(area, 1 << 16));
        }
        read_message(pair[0], 10, 0);
        CHECK(close(pair[0]) == 0);
        CHECK(close(pair[1]) == 0);
    }
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
