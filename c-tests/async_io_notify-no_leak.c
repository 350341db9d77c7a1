/* Registrations that run, are taken back, or go with their descriptor leave nothing behind. */
#include "check.h"

static void complete(int fd, void *context)
{
    (void)fd;
    (void)context;
}

static void body(void)
{
    int ends[2], pair[2];
    pair_open(TCP4, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(async_io_notify(ends[0], complete, NULL));
        CHECK_OK(async_io_notify(pair[0], complete, NULL));
    }
    CHECK_OK(async_io_cancel(ends[0]));
    CHECK_OK(async_io_cancel(pair[0]));
    CHECK_OK(async_io_notify(ends[0], complete, NULL));
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK_OK(async_io_pause());
    CHECK(read(ends[0], (char[1]){ 0 }, 1) == 1);
    CHECK_OK(async_io_notify(ends[0], complete, NULL));
    CHECK_OK(async_io_notify(pair[0], complete, NULL));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
}

int main(void)
{
    check_start();
    check_no_leak(body, 4096);
    return 0;
}
