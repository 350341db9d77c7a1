/* timer_create with SIGEV_THREAD_ID signals that thread and no other, as the C library has it. */
#include "check.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static void *run(void *unused)
{
    struct itimerspec soon = { { 0, 0 }, milliseconds(5) };
    struct timespec limit = milliseconds(WAIT_MS);
    struct sigevent how;
    siginfo_t got;
    sigset_t set;
    timer_t timer;
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR2) == 0);
    memset(&how, 0, sizeof how);
    how.sigev_notify = SIGEV_THREAD_ID;
    how.sigev_signo = SIGUSR2;
    how.sigev_notify_thread_id = thread_id();
    how.sigev_value.sival_int = thread_id();
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &how, &timer));
    CHECK_OK(timer_settime(timer, 0, &soon, NULL));
    CHECK(sigtimedwait(&set, &got, &limit) == SIGUSR2);
    CHECK(got.si_code == SI_TIMER && got.si_value.sival_int == thread_id());
    CHECK_OK(timer_delete(timer));
    return unused;
}

#define THREADS 8

int main(void)
{
    check_start();
    pthread_t thread[THREADS];
    sigset_t set;
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR2) == 0);
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, &set, NULL));
    for (int i = 0; i < THREADS; i++)
        thread[i] = thread_start(run, NULL);
    for (int i = 0; i < THREADS; i++)
        thread_end(thread[i]);
    return 0;
}
