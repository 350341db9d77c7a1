/*
 * Requests of a thread that has ended go on and are told: reads that wait, and writes to the disk.
 * Those that are not told of may interrupt the wait for those that are, see sio_aio(7).
 */
#include "aio.h"
#include "signals.h"

#define COUNT 8
#define SIZE (160 * 1024)

static char buffers[COUNT][SIZE];
static struct aiocb blocks[COUNT];
static int pipes[2], file;

static void *begin(void *nothing)
{
    for (int i = 0; i < COUNT; i++) {
        if (i % 2)
            blocks[i] = aio_block(file, buffers[i], SIZE, (off_t)i * SIZE);
        else
            blocks[i] = aio_block_told(pipes[0], buffers[i], 4, 0, SIGRTMIN);
        if (i % 4 == 2)
            blocks[i].aio_sigevent.sigev_notify = SIGEV_NONE;
        CHECK_OK(i % 2 ? aio_write(&blocks[i]) : aio_read(&blocks[i]));
    }
    return nothing;
}

static void take_signal(const sigset_t *set)
{
    while (sigwaitinfo(set, NULL) != SIGRTMIN)
        CHECK(errno == EINTR);
}

int main(void)
{
    check_start();
    sigset_t set = SIGNALS(SIGRTMIN);
    file = aio_file(0);
    CHECK(pipe(pipes) == 0);
    for (int turn = 0; turn < 10; turn++) {
        thread_end(thread_start(begin, NULL));
        sleep_ms(turn % 2 * 5);
        CHECK_IS(aio_error(&blocks[0]), EINPROGRESS);
        CHECK(write(pipes[1], "onetwothreefour!", 16) == 16);
        take_signal(&set);
        take_signal(&set);
        for (int i = 0; i < COUNT; i++)
            CHECK_DONE(&blocks[i], i % 2 ? SIZE : 4);
    }
    return 0;
}
