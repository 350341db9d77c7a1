/*
 * sio_aio_count counts each request once, by the way it is done, and tells what does those that
 * are not done at once, and why nothing better does.
 */
#include "aio.h"

static struct sio_aio_counts counts;

static void make(struct aiocb *block, int fd, char *buffer)
{
    *block = aio_block(fd, buffer, 1, 0);
    CHECK_OK(aio_read(block));
}

int main(void)
{
    char buffer[4];
    struct aiocb blocks[4];
    int memory = memfd_create("aio", MFD_CLOEXEC), pipes[2];

    check_start();
    CHECK(pipe(pipes) == 0);
    CHECK(pwrite(memory, "x", 1, 0) == 1);
    make(&blocks[0], memory, buffer);
    CHECK_DONE(&blocks[0], 1);
    CHECK_OK(sio_aio_count(&counts, sizeof counts));
    CHECK(counts.sc_at_once == 0 && counts.sc_engine[0] == 0);

    make(&blocks[0], memory, buffer);
    CHECK_DONE(&blocks[0], 1);
    CHECK_IS(counts.sc_at_once, 1);
    CHECK(counts.sc_engine[0] == 0);

    /* Nothing to read: these wait. */
    for (int i = 0; i < 3; i++)
        make(&blocks[i], pipes[0], buffer + i);
    CHECK_IS(counts.sc_at_once, 1);
    CHECK_IS(counts.sc_by_ring + counts.sc_by_threads, 3);
    if (strcmp(counts.sc_engine, "io_uring") == 0) {
        CHECK_IS(counts.sc_by_ring, 3);
    } else {
        CHECK(strcmp(counts.sc_engine, "epoll") == 0);
        CHECK_IS(counts.sc_by_threads, 3);
    }
    /* Where io_uring was not asked away and does not serve, there is a reason. */
    if (getenv("SIO_ENGINE") == NULL)
        CHECK((counts.sc_by_threads > 0) == (counts.sc_reason[0] != 0));
    CHECK(write(pipes[1], "abc", 3) == 3);
    for (int i = 0; i < 3; i++)
        CHECK_DONE(&blocks[i], 1);

    /* A list, with one that fails at once. */
    struct aiocb *list[2] = { &blocks[0], &blocks[1] };
    blocks[0] = aio_block(memory, buffer, 1, 0);
    blocks[1] = aio_block(-1, buffer, 1, 0);
    blocks[0].aio_lio_opcode = blocks[1].aio_lio_opcode = LIO_READ;
    CHECK_ERR(lio_listio(LIO_WAIT, list, 2, NULL), EIO);
    CHECK_IS(counts.sc_at_once, 3);
    return 0;
}
