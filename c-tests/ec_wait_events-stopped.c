/* A process that is stopped while it waits and then goes on may get EINTR, though no handler ran; it
 * misses no event, and waits on if it asks again. */
#include "check.h"

static void wait_for_bytes(int from, int to, unsigned flags)
{
    event_data_t event;
    ec_t ec;
    char byte;

    CHECK_SET(ec, ec_create(flags));
    CHECK(ec_add_fd(ec, from, POLLIN, EC_EDGE, 0) >= 0);
    for (int got = 0; got < 2; got++) {
        CHECK(write(to, "w", 1) == 1);
        while (ec_wait_events(ec, &event, 1, NULL, NULL) != 1)
            CHECK(errno == EINTR);
        CHECK(event.ev_type == EC_EV_FD && read(from, &byte, 1) == 1);
    }
    _exit(0);
}

static void go_through(unsigned flags)
{
    int down[2], up[2], status;
    char byte;
    pid_t child;

    CHECK(pipe(down) == 0 && pipe(up) == 0);
    CHECK((child = fork()) >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        wait_for_bytes(down[0], up[1], flags);
    }
    for (int round = 0; round < 2; round++) {
        CHECK(read(up[0], &byte, 1) == 1);
        usleep(20000); /* time to fall asleep; it does no harm if that was not enough */
        CHECK(kill(child, SIGSTOP) == 0);
        CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
        if (round == 0) { /* the event comes while it stands still */
            CHECK(write(down[1], "b", 1) == 1);
            CHECK(kill(child, SIGCONT) == 0);
        } else { /* or afterwards */
            CHECK(kill(child, SIGCONT) == 0);
            usleep(20000);
            CHECK(write(down[1], "b", 1) == 1);
        }
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(close(down[i]) == 0 && close(up[i]) == 0);
}

int main(void)
{
    check_start();
    go_through(EC_SINGLE);
    go_through(0);
    return 0;
}
