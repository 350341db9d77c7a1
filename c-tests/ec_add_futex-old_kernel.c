/*
 * Where the kernel can wait on several words neither on a ring nor by futex_waitv, ec_add_futex
 * fails with ENOSYS, and so does ec_add_sem unless there is a unit; the channel goes on.
 */
#include "check.h"
#include "deny.h"

int main(void)
{
    check_start();
    static const int calls[] = { DENY_IO_URING, 449 /* futex_waitv */ };
    uint32_t word = 0;
    sem_t sem;
    int source;
    if (deny_calls(calls, 4, ENOSYS) == -1)
        check_skip("no seccomp here");
    ec_t ec = channel_new(0);
    CHECK_ERR(ec_add_futex(ec, &word, 0, 0, 0), ENOSYS);
    CHECK(sem_init(&sem, 0, 0) == 0);
    CHECK_ERR(ec_add_sem(ec, &sem, 0, 0), ENOSYS);
    CHECK(sem_post(&sem) == 0);
    CHECK_SET(source, ec_add_sem(ec, &sem, EC_ONESHOT, 0));
    CHECK(event_wait(ec).ev_source == source);
    CHECK_ERR(ec_modify(ec, source, 0, EC_ONESHOT), ENOSYS);
    CHECK_OK(ec_remove(ec, source));
    CHECK(sem_destroy(&sem) == 0);
    check_no_event(ec, 10);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
