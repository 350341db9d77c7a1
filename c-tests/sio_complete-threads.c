/*
 * Many threads ask, others end what was asked for, and others cancel: each request ends once, with
 * what it was ended with, and the driver's count of them is the program's. Files are opened, closed
 * and duplicated meanwhile.
 */
#include "device.h"

#define ASKING 4
#define ENDING 3
#define ROUNDS 300
#define DEPTH 8

static struct holder holder;
static _Atomic long ended, cancelled, asked, done;
static _Atomic int is_over;

static void *end(void *unused)
{
    while (!is_over) {
        struct sio_kiocb *kiocb = holder_take(&holder, NULL);
        if (!kiocb) {
            sched_yield();
            continue;
        }
        CHECK_OK(sio_complete(kiocb, (ssize_t)kiocb->ki_pos % 5));
        CHECK_ERR(sio_complete(kiocb, 1), EALREADY);
        ended++;
    }
    return unused;
}

static void *ask(void *unused)
{
    char buffer[4];
    struct aiocb blocks[DEPTH];

    for (int round = 0; round < ROUNDS; round++) {
        int fd = device_open("held", O_RDWR);
        for (int i = 0; i < DEPTH; i++) {
            blocks[i] = aio_block(fd, buffer, 4, round + i);
            CHECK_OK(i % 3 ? aio_read(&blocks[i]) : aio_write(&blocks[i]));
            asked++;
        }
        if (round % 3 == 0)
            CHECK(aio_cancel(fd, &blocks[round % DEPTH]) >= 0);
        if (round % 3 == 1)
            CHECK_OK(sio_device_close(fd));
        else if (round % 3 == 2)
            CHECK(close(fd) == 0);
        for (int i = 0; i < DEPTH; i++) {
            int error = aio_await(&blocks[i]);
            CHECK(error == 0 || error == ECANCELED);
            CHECK(aio_return(&blocks[i]) == (error ? -1 : (round + i) % 5));
            *(error ? &cancelled : &done) += 1;
        }
        if (round % 3 == 0)
            CHECK_OK(sio_device_close(fd));
    }
    return unused;
}

int main(void)
{
    pthread_t askers[ASKING], enders[ENDING];

    check_start();
    sio_device_t device = holder_new("held", &holder);
    for (int i = 0; i < ENDING; i++)
        CHECK_THREAD(pthread_create(&enders[i], NULL, end, NULL));
    for (int i = 0; i < ASKING; i++)
        CHECK_THREAD(pthread_create(&askers[i], NULL, ask, NULL));
    for (int i = 0; i < ASKING; i++)
        CHECK_THREAD(pthread_join(askers[i], NULL));
    is_over = 1;
    for (int i = 0; i < ENDING; i++)
        CHECK_THREAD(pthread_join(enders[i], NULL));
    CHECK(asked == ASKING * ROUNDS * DEPTH);
    CHECK(done == ended && done + cancelled == asked);
    AWAIT(holder.released == ASKING * ROUNDS);
    CHECK(holder.opened == ASKING * ROUNDS && holder_count(&holder) == 0);
    CHECK_OK(sio_device_unregister(device));
    return 0;
}
