/* Register, write, pause, again and again: no wake-up is lost, and none comes from the past. */
#include "callback.h"

#define ROUNDS 10000


int main(void)
{
    check_start();
    int ends[2];
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(async_io_notify(ends[0], complete_byte, NULL));
        CHECK(write(ends[1], "x", 1) == 1);
        if (i % 2 == 0)
            CHECK_ERR(pause(), EINTR);
        else
            CHECK_OK(async_io_pause());
        CHECK(atomic_load(&runs) == i + 1);
    }
    return 0;
}
