/*
 * A read of an empty pipe is under way until there is something to read: aio_error says so,
 * aio_suspend waits for it, for a limited time if asked to. Reads are served in the order of the
 * calls. A write that the pipe has no room for goes on until all of it is written, and one after
 * it waits.
 */
#include "aio.h"

#define BIG (300 * 1024)
#define READS 20

static int pipes[2];

static void *writer(void *nothing)
{
    (void)nothing;
    sleep_ms(20);
    CHECK(write(pipes[1], "later", 5) == 5);
    return NULL;
}

static void check_reads(void)
{
    char buffers[READS][5];
    struct aiocb blocks[READS];
    const struct aiocb *list[2] = { NULL, &blocks[0] };
    struct timespec brief = milliseconds(5), none = { 0, 0 };
    pthread_t thread;

    blocks[0] = aio_block(pipes[0], buffers[0], 5, 0);
    CHECK_OK(aio_read(&blocks[0]));
    CHECK_IS(aio_error(&blocks[0]), EINPROGRESS);
    CHECK_ERR(aio_suspend(list, 2, &none), EAGAIN);
    CHECK_ERR(aio_suspend(list, 2, &brief), EAGAIN);
    CHECK_THREAD(pthread_create(&thread, NULL, writer, NULL));
    CHECK_OK(aio_suspend(list, 2, NULL));
    CHECK_IS(aio_error(&blocks[0]), 0);
    CHECK_IS(aio_return(&blocks[0]), 5);
    CHECK(memcmp(buffers[0], "later", 5) == 0);
    CHECK_THREAD(pthread_join(thread, NULL));

    for (int i = 0; i < READS; i++) {
        blocks[i] = aio_block(pipes[0], buffers[i], 1, 0);
        CHECK_OK(aio_read(&blocks[i]));
    }
    for (int i = 0; i < READS; i++) {
        char letter = (char)('a' + i);
        CHECK(write(pipes[1], &letter, 1) == 1);
    }
    for (int i = READS; i-- > 0;) {
        CHECK_DONE(&blocks[i], 1);
        CHECK(buffers[i][0] == 'a' + i);
    }
}

static void check_writes(void)
{
    static char first[BIG], second[BIG], all[2 * BIG];
    struct aiocb blocks[2];
    size_t count = 0;

    pattern_fill(first, BIG, 0);
    pattern_fill(second, BIG, BIG);
    blocks[0] = aio_block(pipes[1], first, BIG, 0);
    blocks[1] = aio_block(pipes[1], second, BIG, 0);
    CHECK_OK(aio_write(&blocks[0]));
    CHECK_OK(aio_write(&blocks[1]));
    CHECK_IS(aio_error(&blocks[0]), EINPROGRESS);
    CHECK_IS(aio_error(&blocks[1]), EINPROGRESS);
    while (count < sizeof all) {
        ssize_t some = read(pipes[0], all + count, sizeof all - count);
        CHECK(some > 0);
        count += (size_t)some;
    }
    CHECK_PATTERN(all, sizeof all, 0);
    CHECK_DONE(&blocks[0], BIG);
    CHECK_DONE(&blocks[1], BIG);
}

int main(void)
{
    check_start();
    CHECK(pipe(pipes) == 0);
    check_reads();
    check_writes();
    return 0;
}
