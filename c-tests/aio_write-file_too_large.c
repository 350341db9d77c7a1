/*
 * A write beyond the largest file that is allowed is EFBIG, one that reaches beyond it is cut
 * short, as with pwrite(2).
 */
#include "aio.h"

#define LIMIT 8192

int main(void)
{
    static char buffer[LIMIT];
    struct rlimit limit = { LIMIT, LIMIT };
    int fd = aio_file(0);

    check_start();
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    struct aiocb block = aio_block(fd, buffer, 100, LIMIT);
    CHECK_OK(aio_write(&block));
    CHECK_FAILED(&block, EFBIG);
    block = aio_block(fd, buffer, LIMIT, LIMIT - 100);
    CHECK_OK(aio_write(&block));
    CHECK_DONE(&block, 100);
    block = aio_block(fd, buffer, LIMIT, 0);
    CHECK_OK(aio_write(&block));
    CHECK_DONE(&block, LIMIT);
    return 0;
}
