/*
 * fork while other threads are inside the library: whatever locks they hold at that moment, the
 * child can use the library, and the parent goes on.
 */
#include "check.h"

#define THREADS 3
#define CHILDREN 30

static _Atomic int stop;
static ec_t shared;

static void *worker(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop)) {
        event_data_t event = user_event(1);
        dma_mem_t area = area_new(4096);
        void *block = block_new(area, 64);
        ec_t own = channel_new(0);
        post_user(own, 2);
        CHECK(ec_post(shared, &event) == 0 || errno == EAGAIN);
        CHECK(ec_next_event(shared, &event) == 0 || errno == EAGAIN);
        CHECK_OK(ec_destroy(own));
        CHECK_OK(sio_release(area, block, 64));
        CHECK_OK(dma_free(area, 4096));
    }
    return NULL;
}

int main(void)
{
    check_start();
    pthread_t threads[THREADS];
    shared = channel_new(0);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(worker, NULL);
    for (int i = 0; i < CHILDREN; i++) {
        pid_t child = child_start();
        if (child == 0) {
            event_data_t event;
            CHECK_ERR(ec_next_event(shared, &event), EPERM);
            ec_t own = channel_new(0);
            post_user(own, 3);
            CHECK(event_wait(own).ev_cookie == 3);
            dma_mem_t area = area_new(4096);
            CHECK_OK(dma_free(area, 4096));
            CHECK_OK(ec_destroy(own));
            _exit(0);
        }
        child_end(child);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
    CHECK_OK(ec_destroy(shared));
    return 0;
}
