/* Threads, children and the signals that disturb them. */
#ifndef THREADS_H
#define THREADS_H

#include "check.h"

static inline pthread_t thread_start(void *(*body)(void *argument), void *argument)
{
    pthread_t thread;
    CHECK_THREAD(pthread_create(&thread, NULL, body, argument));
    return thread;
}

static inline void *thread_end(pthread_t thread)
{
    void *result;
    CHECK_THREAD(pthread_join(thread, &result));
    return result;
}

static inline pid_t thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

/* Returns when a thread of this process sleeps and goes on sleeping: it waits for something. */
static inline void wait_asleep(const _Atomic pid_t *thread)
{
    for (int asleep = 0; asleep < 50; asleep++) {
        char path[64], state = '?';
        pid_t id = atomic_load(thread);
        sleep_ms(1);
        if (id == 0) {
            asleep = 0;
            continue;
        }
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)id);
        FILE *file = fopen(path, "re");
        CHECK(file != NULL && fscanf(file, "%*d %*[^)]) %c", &state) == 1);
        fclose(file);
        if (state != 'S')
            asleep = 0;
    }
}

/* A child that dies if it hangs, and that must not write what the parent has buffered. */
static inline pid_t child_start(void)
{
    fflush(NULL);
    pid_t child = fork();
    CHECK(child != -1);
    if (child == 0)
        check_start();
    return child;
}

static inline void child_end(pid_t child)
{
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

/* In a process of its own, whose thread has used no ring so far. */
static inline void run_in_child(void (*look)(enum pair_kind kind), enum pair_kind kind)
{
    pid_t child = child_start();

    if (child == 0) {
        look(kind);
        exit(0);
    }
    child_end(child);
}

static volatile sig_atomic_t signals_seen;

static inline void signal_count(int number)
{
    (void)number;
    signals_seen++;
}

/* SIGUSR1 runs a handler that interrupts: no SA_RESTART. */
static inline void signal_catch_with(int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = signal_count;
    action.sa_flags = flags;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

static inline void signal_catch(void)
{
    signal_catch_with(0);
}

/* SIGUSR1 to this process every 10 ms, so that no signal can come too early and be missed. */
static inline timer_t signal_start(void)
{
    struct sigevent how;
    struct itimerspec when = { milliseconds(10), milliseconds(10) };
    timer_t timer;
    memset(&how, 0, sizeof how);
    how.sigev_notify = SIGEV_SIGNAL;
    how.sigev_signo = SIGUSR1;
    CHECK(timer_create(CLOCK_MONOTONIC, &how, &timer) == 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    return timer;
}

/* SIGUSR2 to this process every 100 us: a handler runs, with these flags of sigaction. */
static inline timer_t storm_start(int flags)
{
    struct sigaction action;
    struct sigevent how;
    struct itimerspec when = { { 0, 100000 }, { 0, 100000 } };
    timer_t timer;
    memset(&action, 0, sizeof action);
    memset(&how, 0, sizeof how);
    action.sa_handler = signal_count;
    action.sa_flags = flags;
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
    how.sigev_notify = SIGEV_SIGNAL;
    how.sigev_signo = SIGUSR2;
    CHECK(timer_create(CLOCK_MONOTONIC, &how, &timer) == 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    return timer;
}

/* A thread that the storm leaves alone. */
static inline pthread_t thread_start_sheltered(void *(*body)(void *argument), void *argument)
{
    sigset_t set, old;
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR2) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, &old) == 0);
    pthread_t thread = thread_start(body, argument);
    CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
    return thread;
}

/* Gives up the privileges that free root from limits. */
static inline void become_nobody(void)
{
    if (geteuid() == 0)
        CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
}

#endif
