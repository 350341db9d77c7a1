/* ec_add_fd refuses what it cannot watch: each error of the manual page. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int ends[2], source;
    char name[] = "/tmp/sio-test-XXXXXX";
    CHECK(pipe2(ends, O_CLOEXEC) == 0);

    CHECK_ERR(ec_add_fd(ec, ends[0], 0, 0, 0), EINVAL);
    CHECK_ERR(ec_add_fd(ec, ends[0], POLLIN | 1u << 16, 0, 0), EINVAL);
    CHECK_ERR(ec_add_fd(ec, ends[0], POLLIN | 1u << 28, 0, 0), EINVAL);
    CHECK_ERR(ec_add_fd(ec, ends[0], POLLIN | 1u << 31, 0, 0), EINVAL);
    CHECK_ERR(ec_add_fd(ec, ends[0], 1u << 20, 0, 0), EINVAL);
    for (int bit = 0; bit < 32; bit++)
        if ((1u << bit & (EC_EDGE | EC_ONESHOT)) == 0)
            CHECK_ERR(ec_add_fd(ec, ends[0], POLLIN, 1u << bit, 0), EINVAL);
    CHECK_ERR(ec_add_fd(ec, -1, POLLIN, 0, 0), EBADF);
    CHECK_ERR(ec_add_fd(ec, INT_MAX, POLLIN, 0, 0), EBADF);
    CHECK_ERR(ec_add_fd(ec, ec, POLLIN, 0, 0), EINVAL);

    int file = mkstemp(name);
    CHECK(file >= 0 && unlink(name) == 0);
    CHECK_ERR(ec_add_fd(ec, file, POLLIN, 0, 0), EPERM);
    int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(directory >= 0);
    CHECK_ERR(ec_add_fd(ec, directory, POLLIN, 0, 0), EPERM);

    static const unsigned good[] = { POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLRDBAND,
                                     POLLWRNORM, POLLWRBAND, POLLIN | POLLERR | POLLHUP };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK_SET(source, ec_add_fd(ec, ends[0], good[i], 0, 0));
        CHECK_OK(ec_remove(ec, source));
    }
    check_no_event(ec, 20);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
