/* ec_add_timer fails with EMFILE when no more descriptors may be opened, and loses none. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    struct itimerspec soon = { { 0, 0 }, { 0, 1000 } };
    struct rlimit limit;
    int source;
    int before = count_descriptors();
    int next = dup(0);
    CHECK(next >= 0 && close(next) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct rlimit tight = { (rlim_t)next, limit.rlim_max };
    CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    CHECK_ERR(ec_add_timer(ec, CLOCK_MONOTONIC, &soon, 0, 0), EMFILE);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(count_descriptors() == before);
    CHECK_SET(source, ec_add_timer(ec, CLOCK_MONOTONIC, &soon, 0, 1));
    CHECK(event_wait(ec).ev_source == source);
    CHECK_OK(ec_remove(ec, source));
    CHECK(count_descriptors() == before);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
