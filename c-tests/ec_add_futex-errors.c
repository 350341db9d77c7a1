/* ec_add_futex refuses null, words out of line, and flags; ec_modify what is no flag of it. */
#include "check.h"
#include "futex.h"

static uint32_t words[2];

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int ends[2], source;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_ERR(ec_add_futex(ec, NULL, 0, 0, 0), EFAULT);
    for (int i = 1; i < 4; i++)
        CHECK_ERR(ec_add_futex(ec, (uint32_t *)(void *)((char *)words + i), 0, 0, 0), EINVAL);
    for (int bit = 0; bit < 32; bit++)
        if (1u << bit != EC_ONESHOT)
            CHECK_ERR(ec_add_futex(ec, words, 0, 1u << bit, 0), EINVAL);
    CHECK_ERR(ec_add_futex(-1, words, 0, 0, 0), EBADF);
    CHECK_ERR(ec_add_futex(ends[0], words, 0, 0, 0), EBADF);
    CHECK(futex_wake(words, 9) == 0 && futex_wake_shared(words, 9) == 0);

    CHECK_SET(source, ec_add_futex(ec, words, 0, EC_ONESHOT, 0));
    for (int bit = 0; bit < 32; bit++)
        if (1u << bit != EC_ONESHOT)
            CHECK_ERR(ec_modify(ec, source, 1, 1u << bit), EINVAL);
    check_no_event(ec, 10);
    CHECK_OK(ec_modify(ec, source, 1, EC_ONESHOT));
    CHECK(event_wait(ec).ev_source == source);
    CHECK_OK(ec_destroy(ec));
    CHECK_ERR(ec_add_futex(ec, words, 0, 0, 0), EBADF);
    return 0;
}
