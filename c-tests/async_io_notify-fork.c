/* A child has none of its parent's registrations and can make its own; the parent's go on. */
#include "check.h"

static pid_t process;
static _Atomic int runs;

static void complete(int fd, void *context)
{
    (void)fd;
    (void)context;
    CHECK(getpid() == process);
    atomic_fetch_add(&runs, 1);
}

static void generation(int depth)
{
    int ends[2], own[2];
    process = getpid();
    atomic_store(&runs, 0);
    CHECK(pipe(ends) == 0 && pipe(own) == 0);
    CHECK_OK(async_io_notify(ends[0], complete, NULL));
    CHECK_OK(async_io_notify(own[0], complete, NULL));
    CHECK(write(own[1], "x", 1) == 1);
    if (depth > 0) {
        /* Let one be told already and not yet waited for. */
        while (atomic_load(&runs) == 0)
            sleep_ms(1);
        pid_t child = child_start();
        if (child == 0) {
            CHECK_ERR(async_io_cancel(ends[0]), ENOENT);
            CHECK_ERR(async_io_pause(), EDEADLK);
            CHECK(write(ends[1], "x", 1) == 1);
            generation(depth - 1);
            _exit(0);
        }
        child_end(child);
        /* The child has written: the parent's own callback runs, here. */
        CHECK_OK(async_io_pause());
        while (atomic_load(&runs) < 2)
            CHECK_OK(async_io_pause());
    } else {
        CHECK_OK(async_io_pause());
        CHECK(atomic_load(&runs) == 1);
        CHECK_OK(async_io_cancel(ends[0]));
    }
}

int main(void)
{
    check_start();
    generation(3);
    return 0;
}
