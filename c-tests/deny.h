/*
 * A seccomp filter that makes chosen system calls fail with a chosen errno: seccomp(2). It holds
 * for the rest of the process and for what it executes.
 */
#ifndef DENY_H
#define DENY_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* The same numbers on every architecture; older kernel headers do not know them. */
#define DENY_IO_URING 425, 426, 427

#if defined __x86_64__
#define DENY_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define DENY_ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined __riscv && __riscv_xlen == 64
#define DENY_ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#error "add this architecture's AUDIT_ARCH constant"
#endif

#define DENY_CALLS_MAX 16

/* 0, or -1 and errno. */
static inline int deny_calls(const int *numbers, unsigned count, int error)
{
    const unsigned refuse = SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA);
    struct sock_filter code[DENY_CALLS_MAX + 5];
    struct sock_fprog program = { 0, code };
    unsigned n = 0;

    if (count > DENY_CALLS_MAX) {
        errno = E2BIG;
        return -1;
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, arch));
    /* Another architecture's numbers mean other calls: let them pass. */
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DENY_ARCHITECTURE, 0,
                                             (unsigned char)(count + 1));
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < count; i++)
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)numbers[i],
                                                 (unsigned char)(count - i), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, refuse);
    program.len = (unsigned short)n;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static inline int deny_io_uring(int error)
{
    static const int calls[] = { DENY_IO_URING };
    return deny_calls(calls, 3, error);
}

#endif
