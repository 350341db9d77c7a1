/* mq_notify with SIGEV_SIGNAL and SIGEV_NONE, and taking them back, is the C library's. */
#include "queue.h"

int main(void)
{
    check_start();
    struct timespec limit = milliseconds(WAIT_MS), zero = { 0, 0 };
    mqd_t queue = queue_open(O_RDWR);
    struct sigevent how;
    siginfo_t got;
    sigset_t set;
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR2) == 0);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    memset(&how, 0, sizeof how);
    how.sigev_notify = SIGEV_SIGNAL;
    how.sigev_signo = SIGUSR2;
    how.sigev_value.sival_int = 4711;
    CHECK_OK(mq_notify(queue, &how));
    CHECK_ERR(mq_notify(queue, &how), EBUSY);
    queue_send(queue);
    CHECK(sigtimedwait(&set, &got, &limit) == SIGUSR2);
    CHECK(got.si_code == SI_MESGQ && got.si_value.sival_int == 4711);
    CHECK(got.si_pid == getpid());
    queue_receive(queue);

    CHECK_OK(mq_notify(queue, &how));
    CHECK_OK(mq_notify(queue, NULL));
    how.sigev_notify = SIGEV_NONE;
    CHECK_OK(mq_notify(queue, &how));
    CHECK_ERR(mq_notify(queue, &how), EBUSY);
    queue_send(queue);
    CHECK_ERR(sigtimedwait(&set, &got, &zero), EAGAIN);
    CHECK_OK(mq_notify(queue, &how));
    CHECK(mq_close(queue) == 0);
    return 0;
}
