/* ec_create refuses unknown flags and capacities out of 2^1 to 2^20 with EINVAL. */
#include "check.h"

int main(void)
{
    check_start();
    int before = count_descriptors();
    for (int bit = 1; bit < 24; bit++)
        CHECK_ERR(ec_create(1u << bit), EINVAL);
    for (unsigned log2 = 21; log2 < 256; log2++)
        CHECK_ERR(ec_create(EC_CAPACITY(log2)), EINVAL);
    CHECK_ERR(ec_create(EC_SINGLE | 1u << 23), EINVAL);
    CHECK_ERR(ec_create(UINT_MAX), EINVAL);
    CHECK(count_descriptors() == before);

    static const unsigned good[] = { 0, EC_SINGLE, EC_CAPACITY(1), EC_CAPACITY(20),
                                     EC_SINGLE | EC_CAPACITY(5) };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ec_t ec;
        CHECK_SET(ec, ec_create(good[i]));
        CHECK_OK(ec_destroy(ec));
    }
    return 0;
}
