/*
 * Counting system calls: a parent traces a child, and counts its calls between two marks, and
 * between the next two.
 */
#ifndef CALLS_H
#define CALLS_H

#include "check.h"

#include <sys/ptrace.h>

enum { CALLS_MARK = 0x51011 };

/* What the child's calls are counted from on, and the next time: up to here. */
static inline void calls_mark(void)
{
    syscall(SYS_getpgid, CALLS_MARK);
}

/* The calls that a child makes between marks in `work`. */
static inline long calls_of(void (*work)(size_t, unsigned), size_t size, unsigned flags)
{
    long calls = 0;
    int status, marks = 0, is_entry = 0;
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(77);
        raise(SIGSTOP);
        work(size, flags);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        check_skip("no process may be traced here");
    CHECK(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0);
    for (int signal = 0;;) {
        CHECK(ptrace(PTRACE_SYSCALL, child, NULL, signal) == 0);
        CHECK(waitpid(child, &status, __WALL) == child);
        if (!WIFSTOPPED(status))
            break;
        signal = 0;
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            signal = WSTOPSIG(status);
            continue;
        }
        is_entry = !is_entry;
        if (!is_entry)
            continue;
        struct __ptrace_syscall_info info;
        CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) > 0);
        if (info.entry.nr == SYS_getpgid && info.entry.args[0] == CALLS_MARK)
            marks++;
        else
            calls += marks % 2;
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(marks > 0 && marks % 2 == 0);
    return calls;
}

#endif
