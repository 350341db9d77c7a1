/*
 * A device comes and goes while threads open it, make requests and close it: after each
 * sio_device_unregister every file has been released, the driver has nothing and is not called, and
 * each request ends.
 */
#include "device.h"

#define THREADS 4
#define ROUNDS 200

static struct holder holders[ROUNDS];
static int calls[ROUNDS];
static _Atomic int is_over, requests;

static void *use(void *number)
{
    unsigned turn = (unsigned)(uintptr_t)number;
    char buffer[4];

    while (!is_over) {
        struct aiocb blocks[3];
        int fd = sio_device_open("held", O_RDWR);
        if (fd == -1) {
            CHECK(errno == ENOENT);
            sched_yield();
            continue;
        }
        for (int i = 0; i < 3; i++) {
            blocks[i] = aio_block(fd, buffer, 4, i);
            CHECK_OK(i < 2 ? aio_write(&blocks[i]) : aio_fsync(O_SYNC, &blocks[i]));
        }
        if (turn % 4 == 0)
            CHECK(aio_cancel(fd, NULL) >= 0);
        if (turn++ % 2)
            CHECK_OK(sio_device_close(fd));
        else
            CHECK(close(fd) == 0);
        for (int i = 0; i < 3; i++) {
            int error = aio_await(&blocks[i]);
            CHECK(error == 0 || error == ECANCELED || error == ENODEV);
            CHECK(aio_return(&blocks[i]) == (error ? -1 : 0));
            requests++;
        }
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];

    check_start();
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_THREAD(pthread_create(&threads[i], NULL, use, (void *)i));
    for (int round = 0; round < ROUNDS; round++) {
        struct holder *holder = &holders[round];
        sio_device_t device = holder_new("held", holder);
        for (int i = 0; i < 20; i++) {
            struct sio_kiocb *kiocb = holder_take(holder, NULL);
            if (kiocb)
                CHECK_OK(sio_complete(kiocb, 0));
            else
                sched_yield();
        }
        holder->refuses_cancel = round % 3 ? 0 : -EBUSY;
        CHECK_OK(sio_device_unregister(device));
        CHECK(holder->opened == holder->released);
        for (int i = 0; i < holder->count; i++)
            CHECK_ERR(sio_complete(holder->held[i], 0), EALREADY);
        /* Whoever calls it now fails or is counted. */
        holder->count = HELD_MAX;
        calls[round] = holder->opened + holder->cancels;
    }
    is_over = 1;
    for (int i = 0; i < THREADS; i++)
        CHECK_THREAD(pthread_join(threads[i], NULL));
    for (int round = 0; round < ROUNDS; round++) {
        CHECK(holders[round].opened + holders[round].cancels == calls[round]);
        CHECK(holders[round].opened == holders[round].released);
    }
    CHECK(requests > 0);
    return 0;
}
