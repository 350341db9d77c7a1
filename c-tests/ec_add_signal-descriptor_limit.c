/* Without a free descriptor ec_add_signal fails with EMFILE, and the channel is as it was. */
#include "check.h"
#include "signals.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int source;
    sigset_t set = SIGNALS(SIGUSR1);
    struct rlimit limit, none;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    none = limit;
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK_ERR(ec_add_signal(ec, &set, 0, 0), EMFILE);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    signal_send(SIGUSR1, 0);
    check_no_event(ec, 10);
    CHECK_SET(source, ec_add_signal(ec, &set, 0, 0));
    CHECK(event_wait(ec).ev_source == source);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
