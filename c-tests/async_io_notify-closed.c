/* Closing the descriptor takes its registrations back, though its file lives on elsewhere. */
#include "callback.h"

int main(void)
{
    check_start();
    for (int is_duplicated = 0; is_duplicated < 2; is_duplicated++) {
        int ends[2], copy = -1;
        CHECK(pipe(ends) == 0);
        CHECK_OK(async_io_notify(ends[0], complete, NULL));
        CHECK_OK(async_io_notify(ends[0], complete, NULL));
        if (is_duplicated)
            CHECK((copy = dup(ends[0])) >= 0);
        CHECK(close(ends[0]) == 0);
        if (is_duplicated)
            CHECK(write(ends[1], "x", 1) == 1);
        sleep_ms(20);
        CHECK(atomic_load(&runs) == 0);
        CHECK_ERR(async_io_cancel(ends[0]), EBADF);
        CHECK(close(ends[1]) == 0);
        if (is_duplicated)
            CHECK(close(copy) == 0);
    }
    return 0;
}
