/* SIO_ENGINE is a list: names that nobody knows are passed over, epoll is the last resort. */
#include "check.h"

static void serve(const char *list, const char *engine)
{
    pid_t child = child_start();
    if (child == 0) {
        int pair[2];
        struct sio_info info;
        CHECK(setenv("SIO_ENGINE", list, 1) == 0);
        CHECK(unsetenv("SIO_REQUIRE") == 0);
        pair_open(UNIX_STREAM, pair);
        struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
        CHECK_OK(sio_info(pair[0], &info, sizeof info));
        if (engine != NULL)
            CHECK(strcmp(info.si_engine, engine) == 0);
        write_pattern(pair[1], 100, 0);
        endpoint_wait(&end);
        endpoint_read_pattern(&end, 100, 0);
        endpoint_close(&end);
        _exit(0);
    }
    child_end(child);
}

int main(void)
{
    check_start();
    serve("epoll", "epoll");
    serve("no_such_engine,epoll", "epoll");
    serve("epoll,io_uring", "epoll");
    serve("no_such_engine", NULL);
    serve(",,", NULL);
    serve("", NULL);
    return 0;
}
