/* What async_io_cancel takes back never runs; it tells of a callback that runs, and of nothing. */
#include "callback.h"

static _Atomic int entered, leave;

static void slow(int fd, void *context)
{
    (void)fd;
    (void)context;
    atomic_store(&entered, 1);
    while (!atomic_load(&leave))
        sleep_ms(1);
}

int main(void)
{
    check_start();
    int ends[2], other[2];
    CHECK(pipe(ends) == 0 && pipe(other) == 0);
    CHECK_ERR(async_io_cancel(-1), EBADF);
    CHECK_ERR(async_io_cancel(ends[0]), ENOENT);
    int closed = dup(ends[0]);
    CHECK(closed >= 0 && close(closed) == 0);
    CHECK_ERR(async_io_cancel(closed), EBADF);

    for (int i = 0; i < 3; i++)
        CHECK_OK(async_io_notify(ends[0], complete, NULL));
    CHECK_OK(async_io_notify(other[0], complete, NULL));
    CHECK_OK(async_io_cancel(ends[0]));
    CHECK_ERR(async_io_cancel(ends[0]), ENOENT);
    CHECK(write(ends[1], "x", 1) == 1);
    sleep_ms(20);
    CHECK(atomic_load(&runs) == 0);

    /* That of the other descriptor is still there. */
    CHECK(write(other[1], "x", 1) == 1);
    CHECK_OK(async_io_pause());
    CHECK(atomic_load(&runs) == 1);

    /* One runs, the others are taken back. */
    CHECK_OK(async_io_notify(ends[0], slow, NULL));
    while (!atomic_load(&entered))
        sleep_ms(1);
    CHECK_OK(async_io_notify(ends[0], complete, NULL));
    CHECK_OK(async_io_notify(ends[0], complete, NULL));
    CHECK_ERR(async_io_cancel(ends[0]), EALREADY);
    atomic_store(&leave, 1);
    CHECK_OK(async_io_pause());
    CHECK_ERR(async_io_cancel(ends[0]), ENOENT);
    sleep_ms(20);
    CHECK(atomic_load(&runs) == 1);
    return 0;
}
