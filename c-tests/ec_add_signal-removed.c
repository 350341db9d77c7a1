/* Removal, and the end of the channel, leave pending signals to sigtimedwait. */
#include "check.h"
#include "signals.h"

int main(void)
{
    check_start();
    sigset_t set = SIGNALS(SIGUSR1, SIGRTMIN);
    for (int i = 0; i < 6; i++) {
        ec_t ec = channel_new(0);
        int source;
        CHECK_SET(source, ec_add_signal(ec, &set, 0, 1));
        signal_send(SIGUSR1, 0);
        signal_send(SIGRTMIN, 1);
        signal_send(SIGRTMIN, 2);
        if (i % 3 == 1)
            CHECK_OK(ec_delay(ec, NULL));
        else if (i % 3 == 2)
            CHECK(is_readable(ec, WAIT_MS) == 1);
        if (i < 3) {
            CHECK_OK(ec_remove(ec, source));
            check_no_event(ec, 5);
        }
        CHECK_OK(ec_destroy(ec));
        CHECK(signal_take(&set) == SIGUSR1);
        CHECK(signal_take(&set) == SIGRTMIN);
        CHECK(signal_take(&set) == SIGRTMIN);
        CHECK(signal_take(&set) == 0);
    }
    return 0;
}
