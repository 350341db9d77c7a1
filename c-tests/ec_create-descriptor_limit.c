/*
 * ec_create fails with EMFILE when the process may open no more descriptors, whichever of the
 * descriptors it needs is the one too many, and leaves none behind.
 */
#include "check.h"

int main(void)
{
    check_start();
    struct rlimit limit;
    int before = count_descriptors();
    int next = dup(0);
    CHECK(next >= 0 && close(next) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);

    ec_t ec = -1;
    int refused = 0;
    for (int extra = 0; ec == -1 && extra < 32; extra++) {
        struct rlimit tight = { (rlim_t)(next + extra), limit.rlim_max };
        CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
        errno = 0;
        ec = ec_create(0);
        int error = errno;
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        if (ec == -1) {
            errno = error;
            CHECK(errno == EMFILE);
            CHECK(count_descriptors() == before);
            refused++;
        }
    }
    CHECK(refused >= 1);
    CHECK(ec != -1);
    post_user(ec, 1);
    CHECK(event_wait(ec).ev_cookie == 1);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
