/* ec_create hands on what the kernel refuses every descriptor with: ENFILE, ENOMEM. */
#include "check.h"
#include "deny.h"

static void refuse(int error)
{
    static const int calls[] = { DENY_IO_URING, SYS_epoll_create1, SYS_eventfd2,
                                 SYS_timerfd_create };
    pid_t child = child_start();
    if (child == 0) {
        int before = count_descriptors();
        if (deny_calls(calls, sizeof calls / sizeof calls[0], error) == -1)
            _exit(77);
        CHECK_ERR(ec_create(0), error);
        CHECK_ERR(ec_create(EC_SINGLE), error);
        CHECK(count_descriptors() == before);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        check_skip("seccomp filters are not allowed here");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    check_start();
    refuse(ENFILE);
    refuse(ENOMEM);
    return 0;
}
