/*
 * A limit on locked memory is no error, wherever it is between what the smallest ring takes and what
 * many requests need: they are done all the same.
 */
#include "aio.h"

static void requests(rlim_t limit)
{
    char into[5] = "";
    int ends[2];
    CHECK(unsetenv("SIO_REQUIRE") == 0);
    CHECK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ limit, limit }) == 0);
    become_nobody();
    CHECK(pipe(ends) == 0);
    struct aiocb reading = aio_block(ends[0], into, sizeof into, 0);
    CHECK_OK(aio_read(&reading));
    CHECK_IS(aio_error(&reading), EINPROGRESS);
    CHECK(write(ends[1], "bytes", 5) == 5);
    CHECK_DONE(&reading, 5);
    CHECK(memcmp(into, "bytes", 5) == 0);

    struct sio_aio_counts counts;
    CHECK_OK(sio_aio_count(&counts, sizeof counts));
    CHECK(strcmp(counts.sc_engine, "io_uring") == 0 || strcmp(counts.sc_engine, "epoll") == 0);
}

int main(void)
{
    check_start();
    for (rlim_t limit = 0; limit <= 1 << 20; limit = limit ? limit * 2 : 4096) {
        pid_t child = child_start();
        if (child == 0) {
            requests(limit);
            _exit(0);
        }
        child_end(child);
    }
    return 0;
}
