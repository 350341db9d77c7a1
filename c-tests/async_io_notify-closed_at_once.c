/* A socket that leaves its channel and is closed at once never gets its callback: nothing has
 * arrived. */
#include "check.h"

static void never(int fd, void *context)
{
    (void)context;
    check_fail(__FILE__, __LINE__, "nothing has arrived at %d", fd);
}

/* For so many nanoseconds: the library looks at the socket meanwhile. */
static void spin(long duration)
{
    struct timespec start, now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
    do
        CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    while ((now.tv_sec - start.tv_sec) * 1000000000 + now.tv_nsec - start.tv_nsec < duration);
}

int main(void)
{
    check_start();
    size_t size = 1 << 20;
    dma_mem_t area = area_new(size);
    ec_t ec = channel_new(0);
    for (int i = 0; i < 2000; i++) {
        int pair[2];
        pair_open(UNIX_STREAM, pair);
        CHECK_OK(dma_assoc(pair[0], area, 0, 0));
        CHECK(ec_add_socket(ec, pair[0], 0, 0) >= 0);
        CHECK_OK(async_io_notify(pair[0], never, NULL));
        CHECK_OK(sio_detach(pair[0]));
        spin(i % 100 * 1000);
        CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    }
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, size));
    return 0;
}
