/*
 * The mask is in force during the wait, and only then: a signal that is blocked and pending
 * interrupts a wait whose mask lets it in, at once, and is blocked again afterwards.
 */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t event;
    struct timespec limit = milliseconds(WAIT_MS);
    sigset_t blocked, open, now;
    signal_catch();
    CHECK(sigemptyset(&blocked) == 0 && sigaddset(&blocked, SIGUSR1) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, &blocked, NULL) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &open) == 0 && sigdelset(&open, SIGUSR1) == 0);
    for (int i = 1; i <= 100; i++) {
        CHECK(raise(SIGUSR1) == 0);
        CHECK(signals_seen == i - 1);
        CHECK_ERR(ec_wait_events(ec, &event, 1, &limit, &open), EINTR);
        CHECK(signals_seen == i);
        CHECK(pthread_sigmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR1) == 1);
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
