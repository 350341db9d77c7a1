/*
 * The callback runs once, in a thread of the library's that takes no signals, with the descriptor
 * and the context; it has returned when pause returns -1 with EINTR.
 */
#include "check.h"

static _Atomic int runs;
static pid_t thread;
static int fd_seen;
static void *context_seen;
static char name[32];
static sigset_t mask;

static void complete(int fd, void *context)
{
    fd_seen = fd;
    context_seen = context;
    thread = thread_id();
    CHECK_THREAD(pthread_getname_np(pthread_self(), name, sizeof name));
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, NULL, &mask));
    sleep_ms(20);
    atomic_fetch_add(&runs, 1);
}

int main(void)
{
    check_start();
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK_OK(async_io_notify(ends[0], complete, &ends));
    CHECK(atomic_load(&runs) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK_ERR(pause(), EINTR);
    CHECK(atomic_load(&runs) == 1);
    CHECK(fd_seen == ends[0] && context_seen == &ends);
    CHECK(thread != thread_id());
    CHECK(strcmp(name, "sio-notify") == 0);
    for (int number = 1; number < NSIG; number++)
        CHECK(number == SIGKILL || number == SIGSTOP || number == 32 || number == 33 ||
              sigismember(&mask, number) == 1);
    /* The data is still there, and nothing happens any more. */
    sleep_ms(30);
    CHECK(atomic_load(&runs) == 1);
    return 0;
}
