/*
 * Not a test but a tool: runs a program for which io_uring_setup, io_uring_enter and
 * io_uring_register fail, as container runtimes and hardened hosts arrange it.
 *
 *     deny_io_uring [--errno EPERM|ENOSYS|EMFILE] PROGRAM [ARGUMENT...]
 */
#include "deny.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int errno_named(const char *name)
{
    static const struct {
        const char *name;
        int value;
    } table[] = { { "EPERM", EPERM }, { "ENOSYS", ENOSYS }, { "EMFILE", EMFILE } };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, name) == 0)
            return table[i].value;
    return 0;
}

int main(int argc, char **argv)
{
    int first = 1, error = EPERM;

    if (argc > 2 && strcmp(argv[1], "--errno") == 0) {
        error = errno_named(argv[2]);
        first = 3;
    }
    if (argc <= first || error == 0) {
        fputs("usage: deny_io_uring [--errno EPERM|ENOSYS|EMFILE] PROGRAM [ARGUMENT...]\n", stderr);
        return 2;
    }
    if (deny_io_uring(error) == -1) {
        perror("deny_io_uring: seccomp");
        return 2;
    }
    execvp(argv[first], argv + first);
    perror(argv[first]);
    return 2;
}
