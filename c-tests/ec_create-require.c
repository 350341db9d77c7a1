/* With SIO_REQUIRE=1 there is no fallback: ec_create gives the errno that refuses the engine. */
#include "check.h"
#include "deny.h"

int main(void)
{
    check_start();
    static const int errors[] = { EPERM, ENOSYS };
    for (int i = 0; i < 2; i++) {
        pid_t child = child_start();
        if (child == 0) {
            if (deny_io_uring(errors[i]) == -1)
                _exit(77);
            CHECK(setenv("SIO_ENGINE", "io_uring,epoll", 1) == 0);
            CHECK(setenv("SIO_REQUIRE", "1", 1) == 0);
            CHECK_ERR(ec_create(0), errors[i]);
            CHECK_ERR(ec_create(EC_SINGLE), errors[i]);
            _exit(0);
        }
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            check_skip("seccomp filters are not allowed here");
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    return 0;
}
