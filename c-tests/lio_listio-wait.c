/*
 * lio_listio with LIO_WAIT returns when every request has ended, passes over null entries and
 * LIO_NOP, and fails with EIO if one has failed or is none; each block tells its own result. A
 * mode that is none, and a negative count, are EINVAL; without a single request there is nothing
 * to wait for.
 */
#include "aio.h"

#define COUNT 6
#define SIZE 4096

int main(void)
{
    static char buffers[COUNT][SIZE];
    struct aiocb blocks[COUNT], *list[COUNT];
    int fd = aio_file(0);

    check_start();
    for (int i = 0; i < COUNT; i++) {
        pattern_fill(buffers[i], SIZE, (size_t)i * SIZE);
        blocks[i] = aio_block(fd, buffers[i], SIZE, (off_t)i * SIZE);
        blocks[i].aio_lio_opcode = LIO_WRITE;
        list[i] = &blocks[i];
    }
    list[1] = NULL;
    blocks[2].aio_lio_opcode = LIO_NOP;
    CHECK_OK(lio_listio(LIO_WAIT, list, COUNT, NULL));
    for (int i = 0; i < COUNT; i++) {
        memset(buffers[i], 0, SIZE);
        if (i == 1 || i == 2)
            continue;
        CHECK_IS(aio_error(&blocks[i]), 0);
        CHECK_IS(aio_return(&blocks[i]), SIZE);
        blocks[i].aio_lio_opcode = LIO_READ;
    }
    CHECK_OK(lio_listio(LIO_WAIT, list, COUNT, NULL));
    CHECK_PATTERN(buffers[0], SIZE, 0);
    CHECK_PATTERN(buffers[5], SIZE, 5 * SIZE);
    CHECK(pread(fd, buffers[1], SIZE, SIZE) == SIZE);
    CHECK(pattern_matching(buffers[1], SIZE, SIZE) < SIZE);

    blocks[3].aio_fildes = -1;
    CHECK_ERR(lio_listio(LIO_WAIT, list, COUNT, NULL), EIO);
    CHECK_IS(aio_error(&blocks[3]), EBADF);
    CHECK_IS(aio_error(&blocks[4]), 0);
    blocks[3].aio_fildes = fd;
    blocks[3].aio_lio_opcode = 77;
    CHECK_ERR(lio_listio(LIO_WAIT, list, COUNT, NULL), EIO);
    CHECK_IS(aio_error(&blocks[3]), EINVAL);
    blocks[3].aio_lio_opcode = LIO_READ;
    blocks[3].aio_reqprio = -1;
    CHECK_ERR(lio_listio(LIO_WAIT, list, COUNT, NULL), EIO);
    CHECK_ERR(lio_listio(LIO_WAIT, list + 3, 1, NULL), EINVAL);

    CHECK_ERR(lio_listio(77, list, COUNT, NULL), EINVAL);
    CHECK_ERR(lio_listio(LIO_WAIT, list, -1, NULL), EINVAL);
    CHECK_OK(lio_listio(LIO_WAIT, list, 0, NULL));
    CHECK_OK(lio_listio(LIO_WAIT, list + 1, 2, NULL));
    return 0;
}
