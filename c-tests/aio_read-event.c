/*
 * A channel tells how a request has ended: one that is done at once, one that waits, one that
 * fails, and one that is cancelled. Each is told once.
 */
#include "aio_event.h"

static void transfers(ec_t ec)
{
    char in[100] = "", out[100];
    int file = aio_file(0);
    pattern_fill(out, sizeof out, 0);
    struct aiocb block = aio_told(ec, UINTPTR_MAX, file, out, sizeof out);
    CHECK_OK(aio_write(&block));
    check_next_told(ec, &block, sizeof out, 0);
    CHECK_OK(aio_fsync(O_SYNC, &block));
    check_next_told(ec, &block, 0, 0);
    CHECK_OK(aio_fsync(O_DSYNC, &block));
    check_next_told(ec, &block, 0, 0);
    block = aio_told(ec, 2, file, in, sizeof in);
    CHECK_OK(aio_read(&block));
    check_next_told(ec, &block, sizeof in, 0);
    CHECK_PATTERN(in, sizeof in, 0);
    block.aio_offset = sizeof in;
    CHECK_OK(aio_read(&block));
    check_next_told(ec, &block, 0, 0);
    CHECK(close(file) == 0);
}

static void larger_than_the_cache(ec_t ec)
{
    size_t size = 1 << 20;
    char *buffer = malloc(size);
    int file = aio_file(0);
    CHECK(buffer != NULL);
    pattern_fill(buffer, size, 7);
    struct aiocb block = aio_told(ec, 3, file, buffer, size);
    CHECK_OK(aio_write(&block));
    check_next_told(ec, &block, (int64_t)size, 0);
    memset(buffer, 0, size);
    CHECK_OK(aio_read(&block));
    check_next_told(ec, &block, (int64_t)size, 0);
    CHECK_PATTERN(buffer, size, 7);
    free(buffer);
    CHECK(close(file) == 0);
}

static void waits(ec_t ec, int from, int to)
{
    char in[100] = "";
    struct aiocb block = aio_told(ec, 4, from, in, sizeof in);
    CHECK_OK(aio_read(&block));
    CHECK(aio_error(&block) == EINPROGRESS);
    check_no_event(ec, 20);
    CHECK(write(to, "ping", 4) == 4);
    check_next_told(ec, &block, 4, 0);
    CHECK(memcmp(in, "ping", 4) == 0);

    CHECK_OK(aio_read(&block));
    CHECK_IS(aio_cancel(from, &block), AIO_CANCELED);
    check_next_told(ec, &block, -1, ECANCELED);
}

static void fails(ec_t ec)
{
    char in[100];
    int out[2];
    CHECK(pipe(out) == 0);
    struct aiocb block = aio_told(ec, 5, out[1], in, sizeof in);
    CHECK_OK(aio_read(&block));
    check_next_told(ec, &block, -1, EBADF);
    block.aio_fildes = 12345;
    CHECK_OK(aio_read(&block));
    check_next_told(ec, &block, -1, EBADF);
    CHECK(close(out[0]) == 0);
    block.aio_fildes = out[1];
    CHECK_OK(aio_write(&block));
    check_next_told(ec, &block, -1, EPIPE);
    CHECK(close(out[1]) == 0);
}

static void run(unsigned flags)
{
    int ends[2];
    ec_t ec = channel_new(flags);
    transfers(ec);
    larger_than_the_cache(ec);
    CHECK(pipe(ends) == 0);
    waits(ec, ends[0], ends[1]);
    pair_open(UNIX_STREAM, ends);
    waits(ec, ends[0], ends[1]);
    pair_open(TCP4, ends);
    waits(ec, ends[0], ends[1]);
    fails(ec);
    check_no_event(ec, 20);
    CHECK_OK(ec_destroy(ec));
}

int main(void)
{
    check_start();
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    run(0);
    run(EC_SINGLE);
    return 0;
}
