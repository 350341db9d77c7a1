/* 100 children, ending in another order than they were added: each is told once and reaped. */
#include "check.h"
#include "process.h"

#define CHILDREN 100

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int fd[CHILDREN], lifeline[CHILDREN], source[CHILDREN], told[CHILDREN] = { 0 }, count = 0;
    pid_t child[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        /* Some have ended already. */
        child[i] = i % 3 ? child_running(&lifeline[i]) : child_exiting(i);
        fd[i] = pidfd_open_of(child[i]);
        CHECK_SET(source[i], ec_add_process(ec, fd[i], 0, (uint64_t)i));
    }
    for (int i = CHILDREN - 1; i >= 0; i--)
        if (i % 3)
            CHECK(kill(child[i], i % 3 == 1 ? SIGKILL : SIGTERM) == 0);
    while (count < CHILDREN) {
        event_data_t events[16];
        int n;
        CHECK_SET(n, ec_wait_events(ec, events, 16, NULL, NULL));
        for (int j = 0; j < n; j++, count++) {
            int i = (int)events[j].ev_cookie;
            CHECK(told[i]++ == 0);
            int status = status_of(&events[j], fd[i], source[i]);
            CHECK(status == (i % 3 == 0 ? i << 8 : i % 3 == 1 ? SIGKILL : SIGTERM));
        }
    }
    check_no_event(ec, 5);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    for (int i = 0; i < CHILDREN; i++)
        CHECK(close(fd[i]) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
