/*
 * A control block may be used for something else as soon as aio_error says that its request has
 * ended: for the other direction, another file, another place in memory.
 */
#include "aio.h"

#define TURNS 3000

int main(void)
{
    char buffer[2][16];
    int files[2] = { aio_file(0), memfd_create("aio", MFD_CLOEXEC) }, pipes[2];

    check_start();
    CHECK(pipe(pipes) == 0);
    struct aiocb *block = malloc(sizeof *block);
    CHECK(block != NULL);
    for (int i = 0; i < TURNS; i++) {
        int file = files[i / 2 % 2];
        snprintf(buffer[0], sizeof buffer[0], "turn %d", i);
        *block = aio_block(file, buffer[0], 16, i);
        CHECK_OK(aio_write(block));
        CHECK_DONE(block, 16);
        *block = aio_block(file, buffer[1], 16, i);
        CHECK_OK(aio_read(block));
        CHECK_DONE(block, 16);
        CHECK(memcmp(buffer[0], buffer[1], 16) == 0);

        /* One that waits, in the same block. */
        *block = aio_block(pipes[0], buffer[1], 16, 0);
        CHECK_OK(aio_read(block));
        CHECK(write(pipes[1], buffer[0], 16) == 16);
        CHECK((errno = aio_await(block)) == 0);
        CHECK_IS(aio_return(block), 16);
        /* What is freed may be mapped no more. */
        memset(block, 0xff, sizeof *block);
        free(block);
        CHECK((block = malloc(sizeof *block)) != NULL);
    }
    free(block);
    return 0;
}
