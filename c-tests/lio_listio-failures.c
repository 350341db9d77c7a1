/*
 * A request of a list that fails does not stop the others. LIO_NOWAIT has accepted it all the
 * same and returns 0; LIO_WAIT fails with EIO. Each block tells its own error.
 */
#include "aio.h"

#define COUNT 6

static char buffers[COUNT][4];
static struct aiocb blocks[COUNT], *list[COUNT];

static void prepare(int fd, int pipe_end)
{
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = aio_block(fd, buffers[i], 4, 0);
        blocks[i].aio_lio_opcode = LIO_READ;
        list[i] = &blocks[i];
    }
    blocks[1].aio_fildes = 1000;
    blocks[2].aio_offset = -5;
    blocks[3].aio_buf = NULL;
    blocks[4].aio_lio_opcode = 55;
    blocks[5].aio_fildes = pipe_end;
}

static void check_all(void)
{
    static const int errors[COUNT] = { 0, EBADF, EINVAL, EFAULT, EINVAL, 0 };
    for (int i = 0; i < COUNT; i++) {
        if (errors[i] == 0)
            CHECK_DONE(&blocks[i], 4);
        else
            CHECK_FAILED(&blocks[i], errors[i]);
    }
}

int main(void)
{
    int fd = aio_file(0), pipes[2];

    check_start();
    CHECK(pipe(pipes) == 0);
    CHECK(write(fd, "text", 4) == 4);
    prepare(fd, pipes[0]);
    CHECK_OK(lio_listio(LIO_NOWAIT, list, COUNT, NULL));
    CHECK_IS(aio_error(&blocks[5]), EINPROGRESS);
    CHECK(write(pipes[1], "more", 4) == 4);
    check_all();
    prepare(fd, pipes[0]);
    CHECK(write(pipes[1], "more", 4) == 4);
    CHECK_ERR(lio_listio(LIO_WAIT, list, COUNT, NULL), EIO);
    for (int i = 0; i < COUNT; i++)
        CHECK(aio_error(&blocks[i]) != EINPROGRESS);
    check_all();
    return 0;
}
