/* timer_delete takes the source and its queued event away, and gives its descriptor back. */
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int before = count_descriptors();
    for (int looked_at = 0; looked_at < 2; looked_at++) {
        timer_t timer = timer_new(ec, 1);
        timer_arm(timer, 1, 1);
        if (looked_at)
            CHECK_OK(ec_delay(ec, NULL));
        CHECK(is_readable(ec, WAIT_MS) == 1);
        CHECK_OK(timer_delete(timer));
        check_no_event(ec, 10);
        CHECK(is_readable(ec, 0) == 0);
        CHECK(count_descriptors() == before);
        CHECK_ERR(timer_delete(timer), EINVAL);
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
