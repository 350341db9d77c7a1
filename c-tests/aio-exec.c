/*
 * A program that is executed while requests are under way finds no descriptor and no thread of the
 * library's, and what comes later on a pipe is its own to read.
 */
#include "aio.h"

static char byte;

static int after(void)
{
    int count = 0;
    struct aiocb block = aio_block(3, &byte, 1, 0);

    for (int fd = 0; fd < 1000; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    /* The three standard ones, and the pipe. */
    CHECK(count == 5);
    CHECK(aio_threads() == 1);
    CHECK(write(4, "x", 1) == 1);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 1);
    CHECK(byte == 'x');
    return 0;
}

int main(int argc, char **argv)
{
    static char buffer[200 * 1024];
    struct aiocb blocks[4];
    int pipes[2], file;

    check_start();
    if (argc > 1)
        return after();
    CHECK(signal(SIGRTMIN, SIG_IGN) != SIG_ERR);
    for (int fd = 3; fd < 1000; fd++)
        close(fd);
    CHECK(pipe(pipes) == 0);
    CHECK(pipes[0] == 3 && pipes[1] == 4);
    file = aio_file(O_CLOEXEC);
    blocks[0] = aio_block(pipes[0], &byte, 1, 0);
    blocks[1] = aio_block_told(pipes[0], &byte, 1, 0, SIGRTMIN);
    CHECK_OK(aio_read(&blocks[0]));
    CHECK_OK(aio_read(&blocks[1]));
    for (int i = 2; i < 4; i++) {
        blocks[i] = aio_block(file, buffer, sizeof buffer, i);
        CHECK_OK(aio_write(&blocks[i]));
    }
    CHECK(execl("/proc/self/exe", argv[0], "after", NULL) == 0);
    return 1;
}
