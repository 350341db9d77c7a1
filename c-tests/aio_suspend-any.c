/*
 * aio_suspend returns when any of the list has ended, at once if one had ended before; null
 * entries are passed over, and the same block may stand there twice. Those that have not ended
 * are still under way.
 */
#include "aio.h"

#define COUNT 100

static int pipes[COUNT][2];

static void *writer(void *place)
{
    sleep_ms(10);
    CHECK(write(pipes[*(int *)place][1], "x", 1) == 1);
    return NULL;
}

int main(void)
{
    char buffers[COUNT];
    struct aiocb blocks[COUNT];
    const struct aiocb *list[COUNT + 2] = { NULL };

    check_start();
    for (int i = 0; i < COUNT; i++) {
        CHECK(pipe2(pipes[i], O_CLOEXEC) == 0);
        blocks[i] = aio_block(pipes[i][0], &buffers[i], 1, 0);
        CHECK_OK(aio_read(&blocks[i]));
        list[i + 1] = &blocks[i];
    }
    list[COUNT + 1] = &blocks[0];
    for (int i = COUNT; i-- > 0;) {
        pthread_t thread = thread_start(writer, &i);
        CHECK_OK(aio_suspend(list, COUNT + 2, NULL));
        CHECK_IS(aio_error(&blocks[i]), 0);
        thread_end(thread);
        for (int j = 0; j < i; j++)
            CHECK_IS(aio_error(&blocks[j]), EINPROGRESS);
        /* It has ended: nothing to wait for. */
        CHECK_OK(aio_suspend(list, COUNT + 2, NULL));
        CHECK_IS(aio_return(&blocks[i]), 1);
        list[i + 1] = NULL;
        if (i == 0)
            list[COUNT + 1] = NULL;
    }
    return 0;
}
