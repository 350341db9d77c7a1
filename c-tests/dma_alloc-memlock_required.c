/* With SIO_REQUIRE=1 a limit on locked memory is an error: ENOMEM, or EPERM where it is 0. */
#include "check.h"

int main(void)
{
    check_start();
    struct rlimit none = { 0, 0 };
    dma_mem_t area;
    CHECK(setenv("SIO_ENGINE", "epoll", 1) == 0);
    CHECK(setenv("SIO_REQUIRE", "1", 1) == 0);
    CHECK(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
    become_nobody();
    CHECK_ERR_IN(dma_alloc(&area, 1 << 20, 0), ENOMEM, EPERM);
    return 0;
}
