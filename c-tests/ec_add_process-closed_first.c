/* A pidfd that is closed before its source is removed gives no event; the child is the program's. */
#include "check.h"
#include "process.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int source, lifeline;
    pid_t child = child_running(&lifeline);
    int fd = pidfd_open_of(child);
    CHECK_SET(source, ec_add_process(ec, fd, 0, 1));
    CHECK(close(fd) == 0);
    CHECK(close(lifeline) == 0);
    child_ended(child);
    check_no_event(ec, 20);
    child_end(child);
    CHECK_OK(ec_remove(ec, source));
    CHECK_ERR(ec_remove(ec, source), ENOENT);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
