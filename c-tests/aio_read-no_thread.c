/*
 * Requests without a notification, on a file in the page cache, a pipe that has data and one in
 * memory, need no thread: none is made. With a ring none is needed either for what has to wait.
 */
#include "aio.h"

int main(void)
{
    char buffer[100] = "";
    int files[3] = { aio_file(0), memfd_create("aio", MFD_CLOEXEC), -1 }, pipes[2];

    check_start();
    CHECK(pipe(pipes) == 0);
    files[2] = pipes[0];
    CHECK(pwrite(files[0], buffer, sizeof buffer, 0) == sizeof buffer);
    CHECK(pwrite(files[1], buffer, sizeof buffer, 0) == sizeof buffer);
    CHECK(write(pipes[1], buffer, sizeof buffer) == sizeof buffer);
    for (int i = 0; i < 3; i++) {
        struct aiocb block = aio_block(files[i], buffer, sizeof buffer, 0);
        CHECK_OK(aio_read(&block));
        CHECK_DONE(&block, sizeof buffer);
    }
    CHECK(aio_threads() == 1);

    struct aiocb waiting = aio_block(pipes[0], buffer, 4, 0);
    CHECK_OK(aio_read(&waiting));
    CHECK_IS(aio_error(&waiting), EINPROGRESS);
    CHECK(write(pipes[1], "text", 4) == 4);
    CHECK_DONE(&waiting, 4);
    if (aio_has_ring())
        CHECK(aio_threads() == 1);
    return 0;
}
