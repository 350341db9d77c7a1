/*
 * Helpers of the C tests. A test is one program for one behaviour. It exits with 0 (passed),
 * 1 (failed: file, line, expression and errno are on stderr) or 77 (skipped: why is on stdout).
 * It makes no assumption about the engine: the runner repeats it with each.
 *
 * Every check of a successful call also checks that the call left errno alone.
 *
 * Here is how a test says what it finds; pairs.h, endpoint.h, threads.h and leaks.h, which come with
 * it, have what tests are made of.
 */
#ifndef CHECK_H
#define CHECK_H

#include <sio.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- outcome -------------------------------------------------------------------------- */

#define HANG_SECONDS 50    /* a test needs a second, and some of them more on a busy machine */
#define ERRNO_KEPT 12345   /* no errno value: a successful call has to leave it */

static const char *check_context = "";   /* which variant of the test runs now */

__attribute__((noreturn, format(printf, 3, 4)))
static inline void check_fail(const char *file, int line, const char *format, ...)
{
    va_list list;
    fflush(stdout);
    fprintf(stderr, "%s:%d: ", file, line);
    if (*check_context)
        fprintf(stderr, "[%s] ", check_context);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    fflush(stderr);
    _exit(1);
}

__attribute__((noreturn, format(printf, 1, 2)))
static inline void check_skip(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
    fflush(stdout);
    _exit(77);
}

/* The first call of every main(): nothing hangs for ever. */
static inline void check_start(void)
{
    alarm(HANG_SECONDS);
}

static inline const char *check_errno_text(int error)
{
    return error == 0 ? "0" : error == ERRNO_KEPT ? "untouched" : strerror(error);
}

static inline void check_true(const char *file, int line, const char *text, int good)
{
    int error = errno;
    if (!good)
        check_fail(file, line, "%s is false (errno %s)", text, check_errno_text(error));
}

static inline void check_value(const char *file, int line, const char *text, long long value,
                               long long expected)
{
    int error = errno;
    if (value != expected)
        check_fail(file, line, "%s is %lld, not %lld (errno %s)", text, value, expected,
                   check_errno_text(error));
    if (error != ERRNO_KEPT)
        check_fail(file, line, "%s succeeded and set errno to %s", text, check_errno_text(error));
}

static inline void check_not_failed(const char *file, int line, const char *text, long long value)
{
    int error = errno;
    if (value < 0)
        check_fail(file, line, "%s is %lld (errno %s)", text, value, check_errno_text(error));
    if (error != ERRNO_KEPT)
        check_fail(file, line, "%s succeeded and set errno to %s", text, check_errno_text(error));
}

static inline void check_error(const char *file, int line, const char *text, long long value,
                               int expected, int or_expected)
{
    int error = errno;
    if (value != -1)
        check_fail(file, line, "%s is %lld, not -1 with %s", text, value,
                   check_errno_text(expected));
    if (error != expected && error != or_expected)
        check_fail(file, line, "%s failed with %s, not with %s", text, check_errno_text(error),
                   check_errno_text(expected));
}

/* Anything that has to be true: system calls of the test itself too. */
#define CHECK(condition) check_true(__FILE__, __LINE__, #condition, !!(condition))
/* A library call that has to return 0 / a value, and to leave errno. */
#define CHECK_OK(call) CHECK_IS(call, 0)
#define CHECK_IS(call, value) \
    check_value(__FILE__, __LINE__, #call, (errno = ERRNO_KEPT, (long long)(call)), (value))
/* A library call whose result (0 or more) is wanted. */
#define CHECK_SET(variable, call) \
    (errno = ERRNO_KEPT, (variable) = (call), \
     check_not_failed(__FILE__, __LINE__, #call, (long long)(variable)))
/* A library call that has to return -1 with this errno. */
#define CHECK_ERR(call, error) CHECK_ERR_IN(call, error, error)
/* The same where two errors are equally right. */
#define CHECK_ERR_IN(call, error, or_error) \
    check_error(__FILE__, __LINE__, #call, (errno = 0, (long long)(call)), (error), (or_error))
/* A pthread call, which returns its error. */
#define CHECK_THREAD(call) CHECK((errno = (call)) == 0)

/* ---- time ----------------------------------------------------------------------------- */

static inline struct timespec milliseconds(long number)
{
    struct timespec time = { number / 1000, number % 1000 * 1000000 };
    return time;
}

static inline void sleep_ms(long number)
{
    struct timespec rest = milliseconds(number);
    while (nanosleep(&rest, &rest) == -1 && errno == EINTR)
        continue;
}

/* ---- patterns: each byte is a function of its place in the stream ---------------------- */

static inline unsigned char pattern_byte(size_t at)
{
    return (unsigned char)((at * 2654435761u) >> 13);
}

static inline void pattern_fill(void *buffer, size_t size, size_t at)
{
    unsigned char *byte = buffer;
    for (size_t i = 0; i < size; i++)
        byte[i] = pattern_byte(at + i);
}

static inline size_t pattern_matching(const void *buffer, size_t size, size_t at)
{
    const unsigned char *byte = buffer;
    size_t i = 0;
    while (i < size && byte[i] == pattern_byte(at + i))
        i++;
    return i;
}

#define CHECK_PATTERN(buffer, size, at) \
    CHECK(pattern_matching((buffer), (size), (at)) == (size_t)(size))

#include "pairs.h"

#include "endpoint.h"
#include "leaks.h"
#include "threads.h"

#endif
