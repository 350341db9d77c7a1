/* ec_add_sem refuses null, semaphores out of line, and flags; ec_modify what is none of its. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    sem_t sems[2];
    int ends[2], source, value;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(sem_init(&sems[0], 0, 1) == 0);
    CHECK_ERR(ec_add_sem(ec, NULL, 0, 0), EFAULT);
    CHECK_ERR(ec_add_sem(ec, (sem_t *)(void *)((char *)sems + 1), 0, 0), EINVAL);
    CHECK_ERR(ec_add_sem(ec, (sem_t *)(void *)((char *)sems + 4), 0, 0), EINVAL);
    for (int bit = 0; bit < 32; bit++)
        if (1u << bit != EC_ONESHOT)
            CHECK_ERR(ec_add_sem(ec, &sems[0], 1u << bit, 0), EINVAL);
    CHECK_ERR(ec_add_sem(-1, &sems[0], 0, 0), EBADF);
    CHECK_ERR(ec_add_sem(ends[0], &sems[0], 0, 0), EBADF);
    CHECK(sem_getvalue(&sems[0], &value) == 0 && value == 1);

    CHECK_SET(source, ec_add_sem(ec, &sems[0], EC_ONESHOT, 0));
    CHECK_ERR(ec_modify(ec, source, POLLIN, 0), EINVAL);
    CHECK_ERR(ec_modify(ec, source, 0, EC_EDGE), EINVAL);
    CHECK_ERR(ec_modify(ec, source, 0, EC_COUNTER | EC_ONESHOT), EINVAL);
    CHECK(event_wait(ec).ev_source == source);
    CHECK(sem_post(&sems[0]) == 0);
    check_no_event(ec, 10);
    CHECK_OK(ec_destroy(ec));
    CHECK_ERR(ec_add_sem(ec, &sems[0], 0, 0), EBADF);
    return 0;
}
