/* 8 threads make and destroy channels and areas at the same time; nothing is left behind. */
#include "check.h"

#define THREADS 8

static void *worker(void *argument)
{
    (void)argument;
    for (uint64_t i = 0; i < 10; i++) {
        int ends[2], source;
        ec_t ec = channel_new(0);
        dma_mem_t area = area_new(65536);
        CHECK(pipe2(ends, O_CLOEXEC) == 0);
        CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, 0, i));
        CHECK(write(ends[1], "x", 1) == 1);
        event_data_t event = event_wait(ec);
        CHECK(event.ev_cookie == i && event.ev_source == source);
        CHECK_OK(ec_destroy(ec));
        CHECK_OK(dma_free(area, 65536));
        CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
    }
    return NULL;
}

static void body(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(worker, NULL);
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
}

int main(void)
{
    check_start();
    for (int i = 0; i < 3; i++)
        body();
    int descriptors = count_descriptors();
    for (int i = 0; i < 5; i++)
        body();
    CHECK(count_descriptors() == descriptors);
    return 0;
}
