/*
 * A list may be as long as AIO_LISTIO_MAX says, and that is any number: thousands in one call, on
 * a file, in memory, and on a pipe where all of them wait.
 */
#include "aio.h"

#define COUNT 5000

static struct aiocb blocks[COUNT], *list[COUNT];
static char out[COUNT][16], in[COUNT][16];

static void fill(int fd, int opcode)
{
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = aio_block(fd, opcode == LIO_READ ? in[i] : out[i], 16, (off_t)i * 16);
        blocks[i].aio_lio_opcode = opcode;
        list[i] = &blocks[i];
    }
}

static void check_all(void)
{
    for (int i = 0; i < COUNT; i++) {
        CHECK_IS(aio_error(&blocks[i]), 0);
        CHECK_IS(aio_return(&blocks[i]), 16);
        CHECK(memcmp(in[i], out[i], 16) == 0);
    }
}

static void check_file(int fd)
{
    fill(fd, LIO_WRITE);
    CHECK_OK(lio_listio(LIO_WAIT, list, COUNT, NULL));
    memset(in, 0, sizeof in);
    fill(fd, LIO_READ);
    CHECK_OK(lio_listio(LIO_WAIT, list, COUNT, NULL));
    check_all();
}

static void *feed(void *pipe_end)
{
    for (int i = 0; i < COUNT; i++)
        CHECK(write(*(int *)pipe_end, out[i], 16) == 16);
    return NULL;
}

int main(void)
{
    int pipes[2];

    check_start();
    CHECK(sysconf(_SC_AIO_LISTIO_MAX) == -1 || sysconf(_SC_AIO_LISTIO_MAX) >= _POSIX_AIO_LISTIO_MAX);
    for (int i = 0; i < COUNT; i++)
        snprintf(out[i], sizeof out[i], "%d", i);
    check_file(aio_file(0));
    check_file(memfd_create("aio", MFD_CLOEXEC));
    CHECK(pipe(pipes) == 0);
    memset(in, 0, sizeof in);
    fill(pipes[0], LIO_READ);
    pthread_t thread = thread_start(feed, &pipes[1]);
    CHECK_OK(lio_listio(LIO_WAIT, list, COUNT, NULL));
    thread_end(thread);
    check_all();
    return 0;
}
