/*
 * Where there is no position, aio_offset means nothing: pipes and sockets of every kind are read
 * and written from where they are, also with an offset that a file could not have.
 */
#include "aio.h"

static const off_t offsets[] = { 0, 12345, (off_t)1 << 40, -1 };

static void check_pair(int reader, int writer)
{
    char out[4] = "text", in[8];
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        struct aiocb reading = aio_block(reader, in, sizeof in, offsets[i] < 0 ? 7 : offsets[i]);
        struct aiocb writing = aio_block(writer, out, sizeof out, offsets[i] < 0 ? 7 : offsets[i]);
        memset(in, 0, sizeof in);
        /* Once before there is something, once after. */
        if (i % 2)
            CHECK_OK(aio_read(&reading));
        CHECK_OK(aio_write(&writing));
        if (i % 2 == 0)
            CHECK_OK(aio_read(&reading));
        CHECK_DONE(&writing, sizeof out);
        CHECK_DONE(&reading, sizeof out);
        CHECK(memcmp(in, out, sizeof out) == 0);
    }
    CHECK(close(reader) == 0);
    CHECK(close(writer) == 0);
}

static void check_sockets(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    check_pair(pair[0], pair[1]);
}

int main(void)
{
    int pair[2];
    check_start();
    CHECK(pipe(pair) == 0);
    check_pair(pair[0], pair[1]);
    each_pair(ALL_PAIRS, check_sockets);
    return 0;
}
