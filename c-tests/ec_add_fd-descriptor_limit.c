/* A source works when the process may open no more descriptors, or EMFILE says why it does not. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int ends[2], source;
    struct rlimit limit;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    int before = count_descriptors();
    int next = dup(0);
    CHECK(next >= 0 && close(next) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct rlimit tight = { (rlim_t)next, limit.rlim_max };
    CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    errno = 0;
    source = ec_add_fd(ec, ends[0], POLLIN, 0, 1);
    int error = errno;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    errno = error;
    if (source == -1) {
        CHECK(errno == EMFILE);
        CHECK(count_descriptors() == before);
        CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, 0, 1));
    }
    CHECK(event_wait(ec).ev_source == source);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
