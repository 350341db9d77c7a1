/* timer_create with SIGEV_EC fails with EMFILE when no more descriptors may be opened. */
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    struct sigevent how = to_channel(ec, 1);
    struct rlimit limit;
    timer_t timer;
    int before = count_descriptors();
    int next = dup(0);
    CHECK(next >= 0 && close(next) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct rlimit tight = { (rlim_t)next, limit.rlim_max };
    CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &how, &timer), EMFILE);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(count_descriptors() == before);
    timer = timer_new(ec, 1);
    timer_arm(timer, 1, 0);
    CHECK(event_wait(ec).ev_result == 1);
    CHECK_OK(timer_delete(timer));
    CHECK(count_descriptors() == before);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
