/* A mask that blocks a signal keeps it out of the wait; it arrives when the old mask is back. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t event;
    struct timespec limit = milliseconds(100);
    sigset_t closed;
    signal_catch();
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &closed) == 0 && sigaddset(&closed, SIGUSR1) == 0);
    timer_t timer = signal_start();
    for (int i = 0; i < 3; i++) {
        CHECK_ERR(ec_wait_events(ec, &event, 1, &limit, &closed), ETIMEDOUT);
        CHECK(signals_seen >= i + 1);
    }
    CHECK(timer_delete(timer) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
