/* EC_COUNTER is refused with EINVAL where it has no meaning, and cannot be modified. */
#include "check.h"

#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

int main(void)
{
    check_start();
    ec_t ec = channel_new(0), inner = channel_new(0);
    int pair[2], ends[2], source;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    int event = eventfd(0, EFD_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    int signals = signalfd(-1, &set, SFD_CLOEXEC), file = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(event >= 0 && timer >= 0 && signals >= 0 && file >= 0);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    pair_open(UNIX_STREAM, pair);

    CHECK_ERR(ec_add_fd(ec, event, POLLIN, EC_COUNTER | EC_ONESHOT, 0), EINVAL);
    CHECK_ERR(ec_add_fd(ec, event, POLLIN, EC_COUNTER | EC_EDGE | EC_ONESHOT, 0), EINVAL);
    CHECK_ERR(ec_add_fd(ec, event, POLLIN, EC_COUNTER | EC_ATTACH, 0), EINVAL);
    CHECK_ERR(ec_add_fd(ec, event, POLLOUT, EC_COUNTER, 0), EINVAL);
    CHECK_ERR(ec_add_fd(ec, event, POLLIN | POLLOUT, EC_COUNTER, 0), EINVAL);
    CHECK_ERR(ec_add_fd(ec, event, 0, EC_COUNTER, 0), EINVAL);
    const int others[] = { ends[0], ends[1], pair[0], signals, file, inner };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CHECK_ERR(ec_add_fd(ec, others[i], POLLIN, EC_COUNTER, 0), EINVAL);
    CHECK_ERR(ec_add_fd(ec, ec, POLLIN, EC_COUNTER, 0), EINVAL);
    CHECK_ERR(ec_add_fd(ec, -1, POLLIN, EC_COUNTER, 0), EBADF);
    CHECK_ERR(ec_add_fd(ec, INT_MAX, POLLIN, EC_COUNTER, 0), EBADF);

    CHECK_SET(source, ec_add_fd(ec, event, POLLIN, EC_COUNTER, 0));
    CHECK_ERR(ec_modify(ec, source, POLLIN, EC_COUNTER), EINVAL);
    CHECK_ERR(ec_modify(ec, source, POLLIN, 0), EINVAL);
    CHECK_OK(ec_remove(ec, source));
    /* A source that does not read cannot be made to. */
    CHECK_SET(source, ec_add_fd(ec, timer, POLLIN, 0, 0));
    CHECK_ERR(ec_modify(ec, source, POLLIN, EC_COUNTER), EINVAL);
    check_no_event(ec, 10);
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(ec_destroy(inner));
    return 0;
}
