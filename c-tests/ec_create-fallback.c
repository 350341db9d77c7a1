/*
 * Where io_uring is refused, by whatever errno, the next engine serves: same calls, same results,
 * and sio_info says why the preferred one does not.
 */
#include "check.h"
#include "deny.h"

static void serve_without(int error)
{
    pid_t child = child_start();
    if (child == 0) {
        int pair[2];
        struct sio_info info;
        if (deny_io_uring(error) == -1)
            _exit(77);
        CHECK(setenv("SIO_ENGINE", "io_uring,epoll", 1) == 0);
        CHECK(unsetenv("SIO_REQUIRE") == 0);
        pair_open(TCP4, pair);
        struct endpoint end = endpoint_open(pair[0], 1 << 20, ATTACHED);
        CHECK_OK(sio_info(pair[0], &info, sizeof info));
        CHECK(strcmp(info.si_engine, "epoll") == 0);
        CHECK(info.si_reason[0] != '\0');
        void *block = block_new(end.area, 1000);
        pattern_fill(block, 1000, 5);
        endpoint_send(&end, block, 1000, SIO_RELEASE);
        read_pattern(pair[1], 1000, 5);
        write_pattern(pair[1], 500, 9);
        endpoint_wait(&end);
        endpoint_read_pattern(&end, 500, 9);
        endpoint_close(&end);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        check_skip("seccomp filters are not allowed here");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    check_start();
    serve_without(EPERM);
    serve_without(ENOSYS);
    serve_without(ENOMEM);
    serve_without(EMFILE);
    return 0;
}
