/*
 * A read of a pipe or a connection whose other side is closed ends with 0, also if it waited when
 * that happened; so do the reads behind it.
 */
#include "aio.h"

static void check_pair(int reader, int writer)
{
    char buffers[3][4];
    struct aiocb blocks[3];

    for (int i = 0; i < 3; i++) {
        blocks[i] = aio_block(reader, buffers[i], 4, 0);
        CHECK_OK(aio_read(&blocks[i]));
    }
    CHECK(write(writer, "xy", 2) == 2);
    CHECK_DONE(&blocks[0], 2);
    CHECK_IS(aio_error(&blocks[1]), EINPROGRESS);
    CHECK(close(writer) == 0);
    CHECK_DONE(&blocks[1], 0);
    CHECK_DONE(&blocks[2], 0);
    CHECK_OK(aio_read(&blocks[0]));
    CHECK_DONE(&blocks[0], 0);
    CHECK(close(reader) == 0);
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
    each_pair(STREAM_PAIRS, check_sockets);
    return 0;
}
