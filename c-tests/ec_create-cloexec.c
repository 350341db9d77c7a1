/* A channel is a descriptor that is closed by exec. */
#include "check.h"

int main(void)
{
    check_start();
    static const unsigned flags[] = { 0, EC_SINGLE };
    for (int i = 0; i < 2; i++) {
        ec_t ec = channel_new(flags[i]);
        CHECK(fcntl(ec, F_GETFD) == FD_CLOEXEC);
        CHECK_OK(ec_destroy(ec));
        CHECK(fcntl(ec, F_GETFD) == -1 && errno == EBADF);
    }
    return 0;
}
