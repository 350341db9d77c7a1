/*
 * The first request that cannot be done at once needs a descriptor: without one it fails with
 * EMFILE, and later requests can succeed. What can be done at once needs none.
 */
#include "aio.h"

int main(void)
{
    struct rlimit limit;
    char buffer[4];
    int pipes[2], file = aio_file(0);

    check_start();
    CHECK(pipe(pipes) == 0);
    CHECK(write(file, "text", 4) == 4);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = (rlim_t)pipes[1] + 1;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);

    struct aiocb block = aio_block(file, buffer, 4, 0);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 4);
    block.aio_fildes = pipes[0];
    CHECK_ERR(aio_read(&block), EMFILE);
    CHECK_FAILED(&block, EMFILE);

    limit.rlim_cur += 20;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_OK(aio_read(&block));
    CHECK(write(pipes[1], "text", 4) == 4);
    CHECK_DONE(&block, 4);
    return 0;
}
