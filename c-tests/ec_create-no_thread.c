/* A channel, an area and an association need no thread: none is started. */
#include "check.h"

static int count_threads(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/task");
    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

int main(void)
{
    check_start();
    int pair[2];
    int before = count_threads();
    pair_open(UNIX_STREAM, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    CHECK(count_threads() == before);
    endpoint_close(&end);
    CHECK(count_threads() == before);
    return 0;
}
