/* ec_add_mq refuses what is no queue and flags without a meaning; ec_modify other events. */
#include "check.h"
#include "queue.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    mqd_t queue = queue_new();
    int ends[2], source;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_ERR(ec_add_mq(-1, queue, 0, 0), EBADF);
    CHECK_ERR(ec_add_mq(ends[0], queue, 0, 0), EBADF);
    CHECK_ERR(ec_add_mq(ec, -1, 0, 0), EBADF);
    CHECK_ERR(ec_add_mq(ec, INT_MAX, 0, 0), EBADF);
    CHECK_ERR(ec_add_mq(ec, ends[0], 0, 0), EBADF);
    CHECK_ERR(ec_add_mq(ec, ec, 0, 0), EBADF);
    for (int bit = 0; bit < 32; bit++)
        if ((1u << bit & (EC_EDGE | EC_ONESHOT)) == 0)
            CHECK_ERR(ec_add_mq(ec, queue, 1u << bit, 0), EINVAL);

    CHECK_SET(source, ec_add_mq(ec, queue, 0, 0));
    CHECK_ERR(ec_modify(ec, source, 1u << 20, 0), EINVAL);
    CHECK_ERR(ec_modify(ec, source, 0, EC_COUNTER), EINVAL);
    CHECK_ERR(ec_modify(ec, source, 0, EC_ATTACH), EINVAL);
    CHECK_OK(ec_remove(ec, source));
    CHECK_ERR(ec_remove(ec, source), ENOENT);
    CHECK_OK(ec_destroy(ec));
    CHECK_ERR(ec_add_mq(ec, queue, 0, 0), EBADF);
    return 0;
}
