/* The event of a signal, member by member: from the process itself, and with a value from a child. */
#include "check.h"
#include "signals.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int source;
    sigset_t set = SIGNALS(SIGUSR1, SIGRTMIN + 1), before, after;
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, NULL, &before));
    CHECK_SET(source, ec_add_signal(ec, &set, 0, UINT64_MAX));
    sigemptyset(&set);   /* it was only read during the call */
    check_no_event(ec, 20);

    CHECK(kill(getpid(), SIGUSR1) == 0);
    event_data_t event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_SIGNAL);
    CHECK(event.ev_fd == SIGUSR1);
    CHECK(event.ev_cookie == UINT64_MAX);
    CHECK(event.ev_result == 1);
    CHECK(event.ev_errno == 0 && event.ev_flags == 0);
    CHECK(event.ev_ptr == NULL);
    CHECK(event.ev_len == (size_t)getpid());
    CHECK(event.ev_source == source);
    check_no_event(ec, 20);

    int variable;
    pid_t child = child_start();
    if (child == 0) {
        CHECK(sigqueue(getppid(), SIGRTMIN + 1, (union sigval){ .sival_ptr = &variable }) == 0);
        _exit(0);
    }
    event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_SIGNAL && event.ev_fd == SIGRTMIN + 1);
    CHECK(event.ev_result == 1 && event.ev_ptr == &variable);
    CHECK(event.ev_len == (size_t)child && event.ev_source == source);
    child_end(child);
    check_no_event(ec, 20);

    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, NULL, &after));
    for (int number = 1; number < SIGRTMAX; number++)
        CHECK(sigismember(&before, number) == sigismember(&after, number));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
