/* Children and the descriptors of processes: pidfd_open(2), which older C libraries do not have. */
#ifndef PROCESS_H
#define PROCESS_H

#include "check.h"

static inline int pidfd_open_of(pid_t process)
{
    int fd = (int)syscall(SYS_pidfd_open, process, 0);
    CHECK(fd >= 0);
    return fd;
}

/* A child that ends at once. */
static inline pid_t child_exiting(int status)
{
    pid_t child = child_start();
    if (child == 0)
        _exit(status);
    return child;
}

/* A child that runs until it is killed, or until nobody holds the other end of the pipe. */
static inline pid_t child_running(int *lifeline)
{
    int ends[2];
    char byte;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    pid_t child = child_start();
    if (child == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    CHECK(close(ends[0]) == 0);
    *lifeline = ends[1];
    return child;
}

/* Returns when the child has ended; it stays to be reaped. */
static inline void child_ended(pid_t child)
{
    siginfo_t info;
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
}

static inline int status_of(const event_data_t *event, int fd, int source)
{
    CHECK(event->ev_type == EC_EV_PROCESS && event->ev_fd == fd && event->ev_source == source);
    CHECK(event->ev_errno == 0 && event->ev_flags == 0);
    CHECK(event->ev_ptr == NULL && event->ev_len == 0);
    return (int)event->ev_result;
}

#endif
