/*
 * aio_suspend waits no shorter than its time, which is EAGAIN when it is over, whether anything
 * else goes on or not. No time at all is a look. A time that is none is EINVAL.
 */
#include "aio.h"

static struct timespec now(void)
{
    struct timespec time;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return time;
}

static void check_time(const struct aiocb *const *list, long wanted_ms)
{
    struct timespec limit = milliseconds(wanted_ms), start = now();
    CHECK_ERR(aio_suspend(list, 1, &limit), EAGAIN);
    struct timespec end = now();
    long long passed = (end.tv_sec - start.tv_sec) * 1000000000ll + end.tv_nsec - start.tv_nsec;
    CHECK(passed >= wanted_ms * 1000000ll);
}

int main(void)
{
    char buffer, others[64];
    struct timespec wrong[] = { { 0, -1 }, { 0, 1000000000 }, { -1, 0 } };
    int pipes[2], file = aio_file(0);

    check_start();
    CHECK(pipe(pipes) == 0);
    struct aiocb block = aio_block(pipes[0], &buffer, 1, 0);
    const struct aiocb *list[] = { &block };
    CHECK_OK(aio_read(&block));
    check_time(list, 0);
    check_time(list, 1);
    check_time(list, 30);
    struct aiocb other = aio_block(file, others, sizeof others, 0);
    CHECK_OK(aio_write(&other));
    check_time(list, 5);
    CHECK_DONE(&other, sizeof others);
    for (int i = 0; i < 3; i++)
        CHECK_ERR(aio_suspend(list, 1, &wrong[i]), EINVAL);
    CHECK(write(pipes[1], "x", 1) == 1);
    CHECK_OK(aio_suspend(list, 1, &(struct timespec){ 1000, 0 }));
    CHECK_DONE(&block, 1);
    /* With what has ended the time does not matter. */
    CHECK_OK(aio_suspend(list, 1, &(struct timespec){ 0, 0 }));
    return 0;
}
