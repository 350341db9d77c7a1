/* A number that means another file never gets an old callback, also where files share an inode,
 * and whether or not it is registered again. */
#include "check.h"

#include <sys/eventfd.h>

static _Atomic int old_runs, new_runs;

static void old_complete(int fd, void *context)
{
    (void)fd;
    (void)context;
    atomic_fetch_add(&old_runs, 1);
}

static void new_complete(int fd, void *context)
{
    (void)fd;
    (void)context;
    atomic_fetch_add(&new_runs, 1);
}

/* A file that becomes readable by a write of eight bytes to `*writer`. */
static int open_file(int is_anonymous, int *writer)
{
    int ends[2];
    if (is_anonymous) {
        ends[0] = eventfd(0, EFD_CLOEXEC);
        CHECK(ends[0] >= 0 && (ends[1] = dup(ends[0])) >= 0);
    } else {
        CHECK(pipe(ends) == 0);
    }
    *writer = ends[1];
    return ends[0];
}

static void run(int is_anonymous, int keeps_old, int again)
{
    uint64_t one = 1;
    int old_writer, writer, copy = -1;
    int fd = open_file(is_anonymous, &old_writer);
    CHECK_OK(async_io_notify(fd, old_complete, NULL));
    CHECK_OK(async_io_notify(fd, old_complete, NULL));
    if (keeps_old)
        CHECK((copy = dup(fd)) >= 0);
    int other = open_file(is_anonymous, &writer);
    CHECK(dup2(other, fd) == fd && close(other) == 0);

    int before = atomic_load(&new_runs);
    if (again)
        for (int i = 0; i < 2; i++)
            CHECK_OK(async_io_notify(fd, new_complete, NULL));
    /* Both files become readable. */
    CHECK(write(old_writer, &one, sizeof one) == sizeof one || errno == EPIPE);
    CHECK(write(writer, &one, sizeof one) == sizeof one);
    while (again && atomic_load(&new_runs) < before + 2)
        CHECK_OK(async_io_pause());
    sleep_ms(10);
    CHECK(atomic_load(&new_runs) == before + 2 * again);
    CHECK(atomic_load(&old_runs) == 0);
    CHECK_ERR(async_io_cancel(fd), ENOENT);
    CHECK(close(fd) == 0 && close(writer) == 0 && close(old_writer) == 0);
    if (keeps_old)
        CHECK(close(copy) == 0);
}

int main(void)
{
    check_start();
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    for (int variant = 0; variant < 8; variant++)
        run(variant & 1, variant >> 1 & 1, variant >> 2 & 1);
    return 0;
}
