/*
 * aio_write writes to a regular file at aio_offset and leaves the file's position alone, also
 * beyond 4 GiB; with O_APPEND it writes to the end of the file, in the order of the calls.
 */
#include "aio.h"

#define SIZE 5000
#define FAR ((off_t)5 << 30)
#define APPENDED 32
#define PIECE 100

static void check_at(int fd, off_t start)
{
    char buffer[SIZE];
    struct aiocb block;

    pattern_fill(buffer, SIZE, 0);
    block = aio_block(fd, buffer, SIZE, start);
    CHECK_OK(aio_write(&block));
    CHECK_DONE(&block, SIZE);
    memset(buffer, 0, SIZE);
    CHECK(pread(fd, buffer, SIZE, start) == SIZE);
    CHECK_PATTERN(buffer, SIZE, 0);
    CHECK(lseek(fd, 0, SEEK_CUR) == 0);
    CHECK(close(fd) == 0);
}

static void check_append(void)
{
    char pieces[APPENDED][PIECE], buffer[APPENDED * PIECE];
    struct aiocb blocks[APPENDED];
    int fd = aio_file(O_APPEND);

    for (int i = 0; i < APPENDED; i++) {
        pattern_fill(pieces[i], PIECE, (size_t)i * PIECE);
        blocks[i] = aio_block(fd, pieces[i], PIECE, 0);
        CHECK_OK(aio_write(&blocks[i]));
    }
    for (int i = 0; i < APPENDED; i++)
        CHECK_DONE(&blocks[i], PIECE);
    CHECK(pread(fd, buffer, sizeof buffer, 0) == (ssize_t)sizeof buffer);
    CHECK_PATTERN(buffer, sizeof buffer, 0);
    CHECK(close(fd) == 0);
}

int main(void)
{
    check_start();
    check_at(aio_file(0), 0);
    check_at(aio_file(0), FAR);
    check_at(memfd_create("aio", MFD_CLOEXEC), 0);
    check_at(memfd_create("aio", MFD_CLOEXEC), FAR);
    check_append();
    return 0;
}
