/*
 * A child after fork has no requests: those of its parent are in progress there for ever, waiting
 * for them ends at once, there is nothing to cancel. It makes requests of its own, and the
 * parent's go on.
 */
#include "aio.h"

static char byte, text[4];
static struct aiocb pending;
static int pipes[2], file;

static void child(void)
{
    const struct aiocb *list[] = { &pending };
    int own[2];

    CHECK_IS(aio_error(&pending), EINPROGRESS);
    CHECK_OK(aio_suspend(list, 1, NULL));
    CHECK_IS(aio_cancel(pipes[0], &pending), AIO_ALLDONE);
    CHECK_IS(aio_cancel(pipes[0], NULL), AIO_ALLDONE);
    CHECK_IS(aio_error(&pending), EINPROGRESS);

    struct aiocb block = aio_block(file, text, 4, 0);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 4);
    CHECK(pipe(own) == 0);
    block = aio_block(own[0], text, 4, 0);
    CHECK_OK(aio_read(&block));
    CHECK_IS(aio_error(&block), EINPROGRESS);
    CHECK(write(own[1], "more", 4) == 4);
    CHECK_DONE(&block, 4);
    CHECK(memcmp(text, "more", 4) == 0);
    /* Not _exit: whoever looks for leaks does so now. */
    exit(0);
}

int main(void)
{
    check_start();
    file = aio_file(0);
    CHECK(pipe(pipes) == 0);
    CHECK(write(file, "text", 4) == 4);
    pending = aio_block(pipes[0], &byte, 1, 0);
    CHECK_OK(aio_read(&pending));
    for (int i = 0; i < 3; i++) {
        pid_t process = child_start();
        if (process == 0)
            child();
        child_end(process);
        CHECK_IS(aio_error(&pending), EINPROGRESS);
    }
    CHECK(write(pipes[1], "x", 1) == 1);
    CHECK_DONE(&pending, 1);
    CHECK(byte == 'x');
    return 0;
}
