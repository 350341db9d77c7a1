/*
 * With O_APPEND aio_offset means nothing, and what is written stands in the order of the calls:
 * small pieces, large ones, and both in turn.
 */
#include "aio.h"

#define COUNT 24
#define SMALL 100
#define LARGE (200 * 1024)

static size_t length(int i, int way)
{
    return way == 0 ? SMALL : way == 1 || i % 2 ? LARGE : SMALL;
}

int main(void)
{
    check_start();
    for (int way = 0; way < 3; way++) {
        static char pieces[COUNT * LARGE], back[COUNT * LARGE];
        struct aiocb blocks[COUNT];
        int fd = aio_file(O_APPEND);
        size_t at = 0;
        pattern_fill(pieces, sizeof pieces, 0);
        for (int i = 0; i < COUNT; i++) {
            blocks[i] = aio_block(fd, pieces + at, length(i, way), i % 3 * 5000);
            at += length(i, way);
            CHECK_OK(aio_write(&blocks[i]));
        }
        for (int i = COUNT; i-- > 0;)
            CHECK_DONE(&blocks[i], (long long)length(i, way));
        CHECK(pread(fd, back, sizeof back, 0) == (ssize_t)at);
        CHECK_PATTERN(back, at, 0);
        CHECK(close(fd) == 0);
    }
    return 0;
}
