/* timer_create with SIGEV_SIGNAL, and without a sigevent, is the C library's. */
#include "check.h"

int main(void)
{
    check_start();
    struct itimerspec soon = { milliseconds(5), milliseconds(5) };
    struct timespec limit = milliseconds(WAIT_MS);
    struct sigevent how;
    siginfo_t got;
    sigset_t set;
    timer_t timer, plain;
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR2) == 0);
    CHECK(sigaddset(&set, SIGALRM) == 0);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    alarm(0);

    memset(&how, 0, sizeof how);
    how.sigev_notify = SIGEV_SIGNAL;
    how.sigev_signo = SIGUSR2;
    how.sigev_value.sival_int = 4711;
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &how, &timer));
    CHECK_OK(timer_settime(timer, 0, &soon, NULL));
    CHECK(sigtimedwait(&set, &got, &limit) == SIGUSR2);
    CHECK(got.si_code == SI_TIMER && got.si_value.sival_int == 4711);

    /* What nobody takes is counted. */
    sleep_ms(50);
    CHECK(sigtimedwait(&set, &got, &limit) == SIGUSR2);
    CHECK(got.si_overrun >= 3);
    int overrun;
    CHECK_SET(overrun, timer_getoverrun(timer));
    CHECK(overrun == got.si_overrun);
    CHECK_OK(timer_delete(timer));

    soon.it_interval = milliseconds(0);
    CHECK_OK(timer_create(CLOCK_REALTIME, NULL, &plain));
    CHECK_OK(timer_settime(plain, 0, &soon, NULL));
    while (sigtimedwait(&set, &got, &limit) == SIGUSR2)
        continue;
    CHECK(got.si_signo == SIGALRM);
    CHECK_OK(timer_delete(plain));
    return 0;
}
