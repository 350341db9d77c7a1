/* A registration that waits costs nothing, though its channel is readable all the time. */
#include "check.h"

static void never(int fd, void *context)
{
    (void)context;
    check_fail(__FILE__, __LINE__, "nothing has arrived at %d", fd);
}

static long processor_ms(void)
{
    struct timespec time;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int main(void)
{
    check_start();
    int quiet[2], other[2];
    pair_open(TCP4, quiet);
    pair_open(TCP4, other);
    struct endpoint end = endpoint_open(quiet[0], 1 << 20, ATTACHED);
    CHECK_OK(dma_assoc(other[0], end.area, 0, 0));
    CHECK(ec_add_socket(end.ec, other[0], 0, 0) >= 0);
    CHECK_OK(async_io_notify(quiet[0], never, NULL));
    write_pattern(other[1], 100, 0);
    CHECK(event_wait(end.ec).ev_fd == other[0]);
    sleep_ms(20);
    long before = processor_ms();
    sleep_ms(300);
    CHECK(processor_ms() - before < 50);
    CHECK_OK(async_io_cancel(quiet[0]));
    CHECK_OK(sio_detach(other[0]));
    endpoint_close(&end);
    return 0;
}
