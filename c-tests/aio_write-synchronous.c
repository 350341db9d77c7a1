/*
 * Files opened with O_SYNC or O_DSYNC: writes end well and are there, alone and many at a time,
 * also at the end of the file.
 */
#include "aio.h"

#define COUNT 8
#define SIZE 3000

static void check_flags(int flags)
{
    char out[COUNT * SIZE], in[COUNT * SIZE];
    struct aiocb blocks[COUNT];
    int fd = aio_file(flags);

    pattern_fill(out, sizeof out, 0);
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = aio_block(fd, out + i * SIZE, SIZE, (off_t)i * SIZE);
        CHECK_OK(aio_write(&blocks[i]));
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_DONE(&blocks[i], SIZE);
    CHECK(pread(fd, in, sizeof in, 0) == (ssize_t)sizeof in);
    CHECK_PATTERN(in, sizeof in, 0);
    CHECK(close(fd) == 0);
}

int main(void)
{
    check_start();
    check_flags(O_SYNC);
    check_flags(O_DSYNC);
    check_flags(O_DSYNC | O_APPEND);
    return 0;
}
