/*
 * A source that is removed before its event is fetched leaves the child to waitpid, whatever was
 * fetched from the channel meanwhile.
 */
#include "check.h"
#include "process.h"

int main(void)
{
    check_start();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    for (int round = 0; round < 8; round++) {
        ec_t ec = channel_new(0);
        int signals, source, status;
        event_data_t events[2];
        struct timespec limit = milliseconds(WAIT_MS);
        CHECK_SET(signals, ec_add_signal(ec, &set, 0, 0));
        for (int i = 0; i < 4; i++)
            CHECK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }) == 0);
        pid_t child = child_exiting(3);
        int fd = pidfd_open_of(child);
        child_ended(child);
        CHECK_SET(source, ec_add_process(ec, fd, 0, 1));
        /* A look at the channel changes which source is asked first. */
        if (round % 2)
            CHECK_OK(ec_delay(ec, &limit));
        /* As many signals as there is room for: the child has none. */
        int n, was_told = 0;
        CHECK_SET(n, ec_next_events(ec, events, 2));
        for (int i = 0; i < n; i++)
            was_told |= events[i].ev_type == EC_EV_PROCESS;
        CHECK_OK(ec_remove(ec, source));
        if (!was_told) {
            CHECK(waitpid(child, &status, WNOHANG) == child);
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
        }
        CHECK(waitpid(child, &status, 0) == -1 && errno == ECHILD);
        CHECK_OK(ec_destroy(ec));
        CHECK(close(fd) == 0);
        while (sigtimedwait(&set, NULL, &(struct timespec){ 0, 0 }) == SIGRTMIN)
            continue;
    }
    return 0;
}
