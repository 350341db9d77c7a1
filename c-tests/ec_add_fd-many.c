/* 1000 descriptors in one channel: each is told of exactly when it is ready. */
#include "check.h"

#include <sys/eventfd.h>

#define SOURCES 1000

int main(void)
{
    check_start();
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur < 2 * SOURCES + 100)
        check_skip("only %ju descriptors may be open here", (uintmax_t)limit.rlim_cur);

    static int fd[SOURCES], source[SOURCES];
    ec_t ec = channel_new(0);
    for (uint64_t i = 0; i < SOURCES; i++) {
        CHECK((fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0);
        CHECK_SET(source[i], ec_add_fd(ec, fd[i], POLLIN, 0, i));
    }
    for (unsigned round = 0; round < 2000; round++) {
        unsigned i = round * 7919 % SOURCES;
        uint64_t value = 1;
        CHECK(write(fd[i], &value, sizeof value) == sizeof value);
        event_data_t event = event_wait(ec);
        CHECK(event.ev_cookie == i && event.ev_fd == fd[i] && event.ev_source == source[i]);
        CHECK(read(fd[i], &value, sizeof value) == sizeof value);
        CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    }
    for (int i = 0; i < SOURCES; i++)
        CHECK_OK(ec_remove(ec, source[i]));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
