/* ec_add_signal refuses null, sets without a signal that can be waited for, and every flag. */
#include "check.h"
#include "signals.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int ends[2], source;
    sigset_t set = SIGNALS(SIGUSR1), empty;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    sigemptyset(&empty);
    CHECK_ERR(ec_add_signal(ec, NULL, 0, 0), EFAULT);
    CHECK_ERR(ec_add_signal(ec, &empty, 0, 0), EINVAL);
    sigaddset(&empty, SIGKILL);
    CHECK_ERR(ec_add_signal(ec, &empty, 0, 0), EINVAL);
    sigaddset(&empty, SIGSTOP);
    CHECK_ERR(ec_add_signal(ec, &empty, 0, 0), EINVAL);
    for (int bit = 0; bit < 32; bit++)
        CHECK_ERR(ec_add_signal(ec, &set, 1u << bit, 0), EINVAL);
    CHECK_ERR(ec_add_signal(-1, &set, 0, 0), EBADF);
    CHECK_ERR(ec_add_signal(ends[0], &set, 0, 0), EBADF);

    /* With a signal that can be waited for, those two are passed over. */
    sigaddset(&empty, SIGUSR1);
    CHECK_SET(source, ec_add_signal(ec, &empty, 0, 0));
    CHECK_ERR(ec_modify(ec, source, 0, 0), EINVAL);
    CHECK_ERR(ec_modify(ec, source, POLLIN, EC_EDGE), EINVAL);
    signal_send(SIGUSR1, 0);
    CHECK(event_wait(ec).ev_fd == SIGUSR1);
    CHECK_OK(ec_destroy(ec));
    CHECK_ERR(ec_add_signal(ec, &set, 0, 0), EBADF);
    return 0;
}
