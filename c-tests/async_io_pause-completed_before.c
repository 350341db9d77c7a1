/* A callback that ran long before the wait ends the wait at once, and one wait only. */
#include "callback.h"

static int ends[2];

int main(void)
{
    check_start();
    CHECK(pipe(ends) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        atomic_store(&runs, 0);
        for (int i = 0; i < 3; i++)
            CHECK_OK(async_io_notify(ends[0], complete, NULL));
        while (atomic_load(&runs) < 3)
            sleep_ms(1);
        sleep_ms(50);
        if (is_plain)
            CHECK_ERR(pause(), EINTR);
        else
            CHECK_OK(async_io_pause());
        CHECK_ERR(async_io_pause(), EDEADLK);
    }
    return 0;
}
