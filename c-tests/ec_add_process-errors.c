/* ec_add_process refuses what is no pidfd, and every flag; nothing of it can be modified. */
#include "check.h"
#include "process.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int ends[2], source, lifeline;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    pid_t child = child_running(&lifeline);
    int fd = pidfd_open_of(child), file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0);
    CHECK_ERR(ec_add_process(ec, -1, 0, 0), EBADF);
    CHECK_ERR(ec_add_process(ec, INT_MAX, 0, 0), EBADF);
    CHECK_ERR(ec_add_process(ec, ends[0], 0, 0), EINVAL);
    CHECK_ERR(ec_add_process(ec, file, 0, 0), EINVAL);
    CHECK_ERR(ec_add_process(ec, ec, 0, 0), EINVAL);
    for (int bit = 0; bit < 32; bit++)
        CHECK_ERR(ec_add_process(ec, fd, 1u << bit, 0), EINVAL);
    CHECK_ERR(ec_add_process(-1, fd, 0, 0), EBADF);
    CHECK_ERR(ec_add_process(ends[0], fd, 0, 0), EBADF);
    CHECK_SET(source, ec_add_process(ec, fd, 0, 0));
    CHECK_ERR(ec_modify(ec, source, 0, 0), EINVAL);
    CHECK_ERR(ec_modify(ec, source, POLLIN, EC_ONESHOT), EINVAL);
    check_no_event(ec, 10);
    CHECK_OK(ec_remove(ec, source));
    CHECK(close(lifeline) == 0);
    child_end(child);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
