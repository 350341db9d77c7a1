/* A callback that ends its thread has ended: the thread that registered is told, and the next
 * callback runs in another thread. */
#include "check.h"

static int ends[2];
static _Atomic int runs, unwound;

static void cleanup(void *argument)
{
    (void)argument;
    atomic_fetch_add(&unwound, 1);
}

static void complete(int fd, void *context)
{
    char byte;
    CHECK(read(fd, &byte, 1) == 1);
    atomic_fetch_add(&runs, 1);
    pthread_cleanup_push(cleanup, NULL);
    pthread_exit(context);
    pthread_cleanup_pop(0);
}

int main(void)
{
    check_start();
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < 50; i++) {
        CHECK_OK(async_io_notify(ends[0], complete, NULL));
        CHECK(write(ends[1], "x", 1) == 1);
        CHECK_OK(async_io_pause());
        CHECK(atomic_load(&runs) == i + 1);
        CHECK(atomic_load(&unwound) == i + 1);
        CHECK_ERR(async_io_cancel(ends[0]), ENOENT);
    }
    return 0;
}
