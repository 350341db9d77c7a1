/*
 * A request that has to be told, or to be done by a thread, fails with EAGAIN if no thread is to
 * be had, and its block says so; without one it is not needed and is done.
 */
#include "aio.h"

int main(void)
{
    struct rlimit none = { 0, 0 };
    char buffer[4];
    int pipes[2], file = aio_file(0);

    check_start();
    become_nobody();
    CHECK(pipe(pipes) == 0);
    CHECK(write(file, "text", 4) == 4);
    CHECK(setrlimit(RLIMIT_NPROC, &none) == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    if (child > 0) {
        child_end(child);
        check_skip("no limit on threads here");
    }

    struct aiocb told = aio_block_told(pipes[0], buffer, 4, 0, SIGRTMIN);
    CHECK_ERR(aio_read(&told), EAGAIN);
    CHECK_FAILED(&told, EAGAIN);
    struct aiocb *list[] = { &told };
    told.aio_lio_opcode = LIO_READ;
    CHECK_ERR(lio_listio(LIO_NOWAIT, list, 1, NULL), EAGAIN);
    CHECK_FAILED(&told, EAGAIN);

    struct aiocb quiet = aio_block(pipes[0], buffer, 4, 0);
    if (aio_has_ring()) {
        CHECK_OK(aio_read(&quiet));
        CHECK(write(pipes[1], "text", 4) == 4);
        CHECK_DONE(&quiet, 4);
    } else {
        CHECK_ERR(aio_read(&quiet), EAGAIN);
        CHECK_FAILED(&quiet, EAGAIN);
    }
    quiet = aio_block(file, buffer, 4, 0);
    CHECK_OK(aio_read(&quiet));
    CHECK_DONE(&quiet, 4);
    return 0;
}
