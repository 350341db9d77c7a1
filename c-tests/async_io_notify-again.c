/* A callback that registers again does so for the thread whose callback it is. */
#include "check.h"

#define MESSAGES 1000

static int ends[2];
static _Atomic int runs;

static void complete(int fd, void *context)
{
    char byte;
    CHECK(read(fd, &byte, 1) == 1);
    if (atomic_fetch_add(&runs, 1) + 1 < MESSAGES)
        CHECK_OK(async_io_notify(fd, complete, context));
}

static void *send_all(void *argument)
{
    for (int i = 0; i < MESSAGES; i++) {
        CHECK(write(ends[1], "x", 1) == 1);
        if (i % 100 == 0)
            sleep_ms(1);
    }
    return argument;
}

int main(void)
{
    check_start();
    CHECK(pipe(ends) == 0);
    CHECK_OK(async_io_notify(ends[0], complete, NULL));
    pthread_t sender = thread_start(send_all, NULL);
    int waits = 0;
    while (atomic_load(&runs) < MESSAGES) {
        CHECK_ERR(pause(), EINTR);
        waits++;
    }
    /* Of the last callback the thread may have heard together with the one before. */
    CHECK(waits <= MESSAGES);
    thread_end(sender);
    CHECK_ERR(async_io_cancel(ends[0]), ENOENT);
    return 0;
}
