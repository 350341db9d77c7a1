/*
 * aio_cancel of all requests of a descriptor leaves those of others alone, also those of another
 * descriptor of the same file.
 */
#include "aio.h"

#define COUNT 5

int main(void)
{
    char buffers[2][COUNT];
    struct aiocb blocks[2][COUNT];
    int pipes[2], fds[2];

    check_start();
    CHECK(pipe(pipes) == 0);
    fds[0] = pipes[0];
    CHECK((fds[1] = dup(pipes[0])) >= 0);
    for (int i = 0; i < COUNT; i++)
        for (int which = 0; which < 2; which++) {
            blocks[which][i] = aio_block(fds[which], &buffers[which][i], 1, 0);
            CHECK_OK(aio_read(&blocks[which][i]));
        }
    CHECK_IS(aio_cancel(fds[0], NULL), AIO_CANCELED);
    for (int i = 0; i < COUNT; i++) {
        CHECK_IS(aio_error(&blocks[0][i]), ECANCELED);
        CHECK_IS(aio_error(&blocks[1][i]), EINPROGRESS);
    }
    CHECK_IS(aio_cancel(fds[0], NULL), AIO_ALLDONE);
    CHECK(write(pipes[1], "abcde", COUNT) == COUNT);
    for (int i = 0; i < COUNT; i++) {
        CHECK_DONE(&blocks[1][i], 1);
        CHECK(buffers[1][i] == 'a' + i);
    }
    return 0;
}
