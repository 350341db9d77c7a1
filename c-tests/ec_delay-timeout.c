/* ec_delay gives ETIMEDOUT when the time is over, and EINVAL for a time that is none. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    struct timespec zero = { 0, 0 }, some = milliseconds(30), start, end;
    CHECK_ERR(ec_delay(ec, &zero), ETIMEDOUT);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
    CHECK_ERR(ec_delay(ec, &some), ETIMEDOUT);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &end) == 0);
    CHECK((end.tv_sec - start.tv_sec) * 1000000000 + end.tv_nsec - start.tv_nsec >= 30000000);

    struct timespec bad[] = { { 0, -1 }, { 0, 1000000000 }, { -1, 0 } };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_ERR(ec_delay(ec, &bad[i]), EINVAL);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
