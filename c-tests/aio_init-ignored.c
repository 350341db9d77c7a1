/*
 * aio_init takes what the C library's takes, and nothing, and changes nothing.
 */
#include "aio.h"

int main(void)
{
    struct aioinit init = { .aio_threads = 3, .aio_num = 7, .aio_idle_time = 1 };
    struct aioinit *volatile none = NULL;
    char buffer[4];
    struct aiocb block = aio_block(aio_file(0), buffer, 4, 0);

    check_start();
    errno = ERRNO_KEPT;
    aio_init(&init);
    aio_init(none);
    CHECK(errno == ERRNO_KEPT);
    CHECK(aio_threads() == 1);
    CHECK(write(block.aio_fildes, "text", 4) == 4);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 4);
    return 0;
}
