/* A limit on locked memory is no error: the area serves unlocked, and sio_info tells the truth. */
#include "check.h"

int main(void)
{
    check_start();
    struct rlimit none = { 0, 0 };
    struct sio_info info;
    int pair[2];
    CHECK(unsetenv("SIO_REQUIRE") == 0);
    CHECK(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
    become_nobody();
    pair_open(TCP4, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 20, ATTACHED);
    CHECK_OK(sio_info(pair[0], &info, sizeof info));
    CHECK((info.si_flags & SIO_INFO_LOCKED) == 0);
    void *block = block_new(end.area, 5000);
    pattern_fill(block, 5000, 0);
    endpoint_send(&end, block, 5000, SIO_RELEASE);
    read_pattern(pair[1], 5000, 0);
    write_pattern(pair[1], 3000, 1);
    endpoint_wait(&end);
    endpoint_read_pattern(&end, 3000, 1);
    endpoint_close(&end);
    return 0;
}
