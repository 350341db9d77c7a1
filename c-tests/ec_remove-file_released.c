/* After ec_remove nothing holds the file of a source: when it is closed, the other end is told. */
#include "check.h"

int main(void)
{
    static const unsigned variants[] = { 0, EC_EDGE, EC_ONESHOT, EC_EDGE | EC_ONESHOT };
    check_start();
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    for (int i = 0; i < 40; i++) {
        ec_t ec = channel_new(i & 16 ? EC_SINGLE : 0);
        int ends[2], source;
        CHECK(pipe2(ends, O_CLOEXEC) == 0);
        CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, variants[i % 4], 1));
        if (i & 4)
            CHECK(write(ends[1], "x", 1) == 1);
        if (i & 8)
            CHECK((ec_delay(ec, &(struct timespec){ 0, 1000000 }) == 0) == !!(i & 4));
        CHECK_OK(ec_remove(ec, source));
        CHECK(close(ends[0]) == 0);
        CHECK(write(ends[1], "x", 1) == -1 && errno == EPIPE);
        CHECK(close(ends[1]) == 0);
        CHECK_OK(ec_destroy(ec));
    }
    return 0;
}
