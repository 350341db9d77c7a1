/* An event that is queued when ec_modify takes its cause out of the mask is not told any more. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int pair[2], source;
    pair_open(UNIX_STREAM, pair);
    CHECK(write(pair[1], "x", 1) == 1);
    for (int i = 0; i < 20; i++) {
        CHECK_SET(source, ec_add_fd(ec, pair[0], POLLIN, 0, 1));
        CHECK_OK(ec_delay(ec, NULL));
        CHECK_OK(ec_modify(ec, source, POLLPRI, 0));
        check_no_event(ec, 5);
        CHECK_OK(ec_remove(ec, source));
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
