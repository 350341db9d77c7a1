/* The event of a child, member by member; its wait status, however it ended; and it is reaped. */
#include "check.h"
#include "process.h"

static int end_of(pid_t child)
{
    ec_t ec = channel_new(0);
    int source, fd = pidfd_open_of(child);
    CHECK_SET(source, ec_add_process(ec, fd, 0, UINT64_MAX));
    event_data_t event = event_wait(ec);
    int status = status_of(&event, fd, source);
    CHECK(event.ev_cookie == UINT64_MAX);
    CHECK(waitpid(child, NULL, 0) == -1 && errno == ECHILD);
    check_no_event(ec, 5);
    CHECK_OK(ec_remove(ec, source));
    CHECK_OK(ec_destroy(ec));
    CHECK(fcntl(fd, F_GETFD) != -1 && close(fd) == 0);
    return status;
}

int main(void)
{
    check_start();
    int lifeline, dumps = 0;
    static const int statuses[] = { 0, 1, 42, 127, 255 };
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        int status = end_of(child_exiting(statuses[i]));
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == statuses[i]);
    }
    const int signals[] = { SIGKILL, SIGTERM, SIGUSR1, SIGRTMIN };
    for (int i = 0; i < 4; i++) {
        int number = signals[i];
        pid_t child = child_running(&lifeline);
        CHECK(kill(child, number) == 0);
        int status = end_of(child);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == number && !WCOREDUMP(status));
        CHECK(close(lifeline) == 0);
    }
    /* The bit of the core dump is what waitpid says of another such child. */
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        children[i] = child_start();
        if (children[i] == 0) {
            struct rlimit unlimited = { 4096, 4096 };
            signal(SIGABRT, SIG_DFL);
            setrlimit(RLIMIT_CORE, &unlimited);
            char directory[] = "/tmp/sio-test-XXXXXX";
            if (mkdtemp(directory) != NULL && chdir(directory) == 0)
                rmdir(directory);   /* there is no place for the dump */
            abort();
        }
    }
    CHECK(waitpid(children[0], &dumps, 0) == children[0]);
    int status = end_of(children[1]);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(status == dumps);
    return 0;
}
