/* In a program with one thread, a signal that it directs to itself is told as any other. */
#include "check.h"
#include "signals.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int source;
    sigset_t set = SIGNALS(SIGUSR1);
    CHECK_SET(source, ec_add_signal(ec, &set, 0, 1));
    for (int i = 0; i < 20; i++) {
        CHECK(raise(SIGUSR1) == 0);
        event_data_t event = event_wait(ec);
        CHECK(event.ev_fd == SIGUSR1 && event.ev_source == source);
        CHECK(event.ev_len == (size_t)getpid());
        check_no_event(ec, 1);
    }
    CHECK_OK(ec_destroy(ec));
    return 0;
}
