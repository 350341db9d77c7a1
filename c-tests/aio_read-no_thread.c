/*
 * Requests without a notification, on a file in the page cache, a pipe that has data and one in
 * memory, need no thread: none is made.
 */
#include "aio.h"

static int threads(void)
{
    DIR *directory = opendir("/proc/self/task");
    int count = 0;
    if (directory == NULL)
        check_skip("no /proc");
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    CHECK(closedir(directory) == 0);
    return count;
}

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
    CHECK(threads() == 1);
    return 0;
}
