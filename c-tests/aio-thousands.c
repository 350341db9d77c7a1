/*
 * Thousands of requests under way at the same time, on many pipes and one socket: all of them
 * end, in the order of each, and what they took is given back.
 */
#include "aio.h"

#define PIPES 50
#define EACH 100
#define COUNT (PIPES * EACH)

static struct aiocb blocks[COUNT];
static char bytes[COUNT];
static int pipes[PIPES][2];

static void round_of_all(void)
{
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = aio_block(pipes[i % PIPES][0], &bytes[i], 1, 0);
        CHECK_OK(aio_read(&blocks[i]));
    }
    CHECK_IS(aio_error(&blocks[COUNT - 1]), EINPROGRESS);
    for (int i = 0; i < PIPES; i++)
        for (int j = 0; j < EACH; j++)
            CHECK(write(pipes[i][1], &(char){ (char)j }, 1) == 1);
    for (int i = COUNT; i-- > 0;) {
        CHECK_DONE(&blocks[i], 1);
        CHECK(bytes[i] == (char)(i / PIPES));
    }
}

int main(void)
{
    check_start();
    for (int i = 0; i < PIPES; i++) {
        if (i == 0)
            CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pipes[i]) == 0);
        else
            CHECK(pipe2(pipes[i], O_CLOEXEC) == 0);
    }
    round_of_all();
    int descriptors = count_descriptors();
    long size = mapped_bytes();
    round_of_all();
    round_of_all();
    CHECK(count_descriptors() <= descriptors);
    CHECK(mapped_bytes() < size + (4 << 20));
    return 0;
}
