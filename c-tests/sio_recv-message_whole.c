/*
 * A message of a stream that arrives as one is received as one, wherever the buffers of the kernel
 * end: what a program keeps of those before it makes no difference. Both ways of using buffers.
 */
#include "check.h"

#define AREA (4 << 20)
#define MESSAGES 2000

static void run(size_t size, unsigned flags)
{
    int pair[2];
    dma_mem_t area = area_new(AREA);
    ec_t ec = channel_new(flags);
    pair_open(TCP4, pair);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    CHECK(ec_add_socket(ec, pair[0], 0, 0) >= 0);
    void *before = NULL;
    int no_delay = 1;
    CHECK(setsockopt(pair[1], IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay) == 0);
    for (size_t i = 0; i < MESSAGES; i++) {
        void *block;
        write_pattern(pair[1], size, i);
        event_data_t event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_RECV && event.ev_errno == 0);
        CHECK_IS(event.ev_result, (long long)size);
        CHECK_IS(sio_recv(pair[0], &block, size, 0), (int)size);
        CHECK_PATTERN(block, size, i);
        if (before)
            CHECK_OK(sio_release(area, before, size));
        before = block;
    }
    CHECK_OK(sio_release(area, before, size));
    CHECK_OK(sio_detach(pair[0]));
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, AREA));
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

static void run_all(void)
{
    static const size_t sizes[] = { 64, 1000, 1472 };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        run(sizes[i], 0);
        run(sizes[i], EC_SINGLE);
    }
}

int main(void)
{
    check_start();
    pid_t old = child_start();
    if (old == 0) {
        CHECK(setenv("SIO_WITHOUT", "receive_incremental", 1) == 0);
        run_all();
        _exit(0);
    }
    child_end(old);
    run_all();
    return 0;
}
