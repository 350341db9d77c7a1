/* Each error of async_io_notify; nothing is registered then. */
#include "callback.h"

#include <sys/epoll.h>


static void handle(int number)
{
    (void)number;
}

static void check_no_signal_left(void)
{
    int ends[2];
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        CHECK(signal(number, number % 2 ? SIG_IGN : handle) != SIG_ERR);
    CHECK(pipe(ends) == 0);
    CHECK_ERR(async_io_notify(ends[0], complete, NULL), EAGAIN);
    CHECK(signal(SIGRTMIN + 3, SIG_DFL) != SIG_ERR);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK_OK(async_io_notify(ends[0], complete, NULL));
    CHECK_OK(async_io_pause());
    CHECK(atomic_load(&runs) == 1);
}

static void check_no_thread_left(void)
{
    struct rlimit none = { 0, 0 };
    int ends[2];
    become_nobody();
    CHECK(pipe(ends) == 0);
    CHECK(setrlimit(RLIMIT_NPROC, &none) == 0);
    CHECK_ERR(async_io_notify(ends[0], complete, NULL), EAGAIN);
}

static void check_no_descriptor_left(void)
{
    int ends[2];
    struct rlimit few;
    CHECK(pipe(ends) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &few) == 0);
    few.rlim_cur = (rlim_t)ends[1] + 1;
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    CHECK_ERR(async_io_notify(ends[0], complete, NULL), EMFILE);
}

static void check_nested_too_deep(void)
{
    struct epoll_event event = { .events = EPOLLIN };
    int ends[2], outer = -1, inner, depth = 0;
    CHECK(pipe(ends) == 0);
    for (inner = ends[0]; depth < 10; depth++, inner = outer) {
        outer = epoll_create1(EPOLL_CLOEXEC);
        CHECK(outer >= 0);
        if (epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event) == -1)
            break;
    }
    CHECK(errno == ELOOP && depth < 10);
    CHECK_ERR(async_io_notify(inner, complete, NULL), ELOOP);
}

static void in_child(void (*body)(void))
{
    pid_t child = child_start();
    if (child == 0) {
        body();
        _exit(0);
    }
    child_end(child);
}

int main(void)
{
    check_start();
    int pair[2];
    in_child(check_no_signal_left);
    in_child(check_no_thread_left);
    in_child(check_no_descriptor_left);
    in_child(check_nested_too_deep);

    pair_open(UNIX_STREAM, pair);
    CHECK(write(pair[1], "x", 1) == 1);
    CHECK_ERR(async_io_notify(pair[0], NULL, NULL), EFAULT);
    CHECK_ERR(async_io_notify(-1, complete, NULL), EBADF);
    CHECK_ERR(async_io_notify(1 << 30, complete, NULL), EBADF);
    int closed = dup(pair[0]);
    CHECK(closed >= 0 && close(closed) == 0);
    CHECK_ERR(async_io_notify(closed, complete, NULL), EBADF);

    int directory = open("/", O_RDONLY | O_DIRECTORY), file = open("/proc/self/exe", O_RDONLY);
    CHECK(directory >= 0 && file >= 0);
    CHECK_ERR(async_io_notify(directory, complete, NULL), EPERM);
    CHECK_ERR(async_io_notify(file, complete, NULL), EPERM);

    /* A channel that only its owner may look into. */
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    end.ec = channel_new(EC_SINGLE);
    CHECK_SET(end.source, ec_add_socket(end.ec, end.sock, 0, 0));
    CHECK_ERR(async_io_notify(end.sock, complete, NULL), EPERM);
    CHECK_OK(ec_remove(end.ec, end.source));

    pid_t child = child_start();
    if (child == 0) {
        CHECK_ERR(async_io_notify(end.sock, complete, NULL), EPERM);
        _exit(0);
    }
    child_end(child);

    CHECK_ERR(async_io_cancel(end.sock), ENOENT);
    endpoint_close(&end);
    sleep_ms(20);
    CHECK(atomic_load(&runs) == 0);
    return 0;
}
