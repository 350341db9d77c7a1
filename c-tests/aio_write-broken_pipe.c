/*
 * A write to a pipe or a socket that nobody reads fails with EPIPE and raises no signal, also when
 * it was under way when the other side went.
 */
#include "aio.h"

#define BIG (300 * 1024)

static char big[BIG];

static void check_end(int reader, int writer)
{
    struct aiocb block = aio_block(writer, big, BIG, 0);
    CHECK_OK(aio_write(&block));
    CHECK_IS(aio_error(&block), EINPROGRESS);
    CHECK(close(reader) == 0);
    /* A part of it went into the buffer of the pipe. */
    CHECK((errno = aio_await(&block)) == 0);
    CHECK(aio_return(&block) > 0 && aio_return(&block) < BIG);

    block = aio_block(writer, big, 1, 0);
    CHECK_OK(aio_write(&block));
    CHECK_FAILED(&block, EPIPE);
    CHECK(close(writer) == 0);
}

int main(void)
{
    int pair[2];

    check_start();
    CHECK(pipe(pair) == 0);
    check_end(pair[0], pair[1]);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    check_end(pair[0], pair[1]);
    return 0;
}
