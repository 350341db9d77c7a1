/* A caught signal ends ec_delay with EINTR. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    struct timespec limit = milliseconds(WAIT_MS);
    signal_catch();
    timer_t timer = signal_start();
    CHECK_ERR(ec_delay(ec, NULL), EINTR);
    CHECK_ERR(ec_delay(ec, &limit), EINTR);
    CHECK(timer_delete(timer) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
