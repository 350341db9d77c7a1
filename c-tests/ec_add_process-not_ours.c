/*
 * Whoever is no child of ours, or has been reaped by somebody else: the event comes, with ECHILD
 * or with the status where the kernel still tells it.
 */
#include "check.h"
#include "process.h"

static void check_end(ec_t ec, int fd, int source, int status)
{
    event_data_t event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_PROCESS && event.ev_fd == fd && event.ev_source == source);
    if (event.ev_errno == 0)
        CHECK(event.ev_result == status);
    else
        CHECK(event.ev_result == -1 && event.ev_errno == ECHILD);
    check_no_event(ec, 5);
    CHECK_OK(ec_remove(ec, source));
    CHECK(close(fd) == 0);
}

/* Reaped before it is added, and after. */
static void reaped_elsewhere(ec_t ec)
{
    int source, lifeline;
    pid_t child = child_exiting(9);
    int fd = pidfd_open_of(child);
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK_SET(source, ec_add_process(ec, fd, 0, 1));
    check_end(ec, fd, source, 9 << 8);

    child = child_running(&lifeline);
    fd = pidfd_open_of(child);
    CHECK_SET(source, ec_add_process(ec, fd, 0, 1));
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
    check_end(ec, fd, source, SIGKILL);
    CHECK(close(lifeline) == 0);
}

/* Reaped by the kernel, because nobody wants to know of children. */
static void ignored(ec_t ec)
{
    int source, lifeline;
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    pid_t child = child_running(&lifeline);
    int fd = pidfd_open_of(child);
    CHECK_SET(source, ec_add_process(ec, fd, 0, 1));
    check_no_event(ec, 5);
    CHECK(close(lifeline) == 0);
    check_end(ec, fd, source, 0);
    CHECK(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
}

/* The child of a child, whose parent reaps it when it is told to. */
static void grandchild(ec_t ec)
{
    int ids[2], lifeline, source;
    pid_t process;
    char byte = 0;
    CHECK(pipe2(ids, O_CLOEXEC) == 0);
    pid_t child = child_start();
    if (child == 0) {
        process = child_running(&lifeline);
        CHECK(write(ids[1], &process, sizeof process) == sizeof process);
        sleep_ms(20);
        CHECK(close(lifeline) == 0);
        CHECK(waitpid(process, NULL, 0) == process);
        CHECK(write(ids[1], &byte, 1) == 1);
        exit(0);
    }
    CHECK(read(ids[0], &process, sizeof process) == sizeof process);
    int fd = pidfd_open_of(process);
    CHECK_SET(source, ec_add_process(ec, fd, 0, 1));
    CHECK(read(ids[0], &byte, 1) == 1);
    check_end(ec, fd, source, 0);
    child_end(child);
}

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    reaped_elsewhere(ec);
    ignored(ec);
    grandchild(ec);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
