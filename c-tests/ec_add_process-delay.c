/* ec_delay and poll say that a child has ended and do not reap it: only the fetch does. */
#include "check.h"
#include "process.h"

int main(void)
{
    check_start();
    for (int i = 0; i < 6; i++) {
        ec_t ec = channel_new(0);
        int source, lifeline;
        event_data_t event;
        struct timespec limit = milliseconds(WAIT_MS);
        pid_t child = child_running(&lifeline);
        int fd = pidfd_open_of(child);
        CHECK_SET(source, ec_add_process(ec, fd, 0, 1));
        CHECK(is_readable(ec, 0) == 0);
        CHECK(close(lifeline) == 0);
        if (i % 3 != 1)
            CHECK_OK(ec_delay(ec, &limit));
        if (i % 3 != 0)
            CHECK(is_readable(ec, WAIT_MS) == 1);
        child_ended(child);   /* still there */
        CHECK_OK(ec_delay(ec, &limit));
        if (i < 3) {
            CHECK_OK(ec_next_event(ec, &event));
            CHECK(status_of(&event, fd, source) == 0);
            CHECK(waitpid(child, NULL, 0) == -1 && errno == ECHILD);
            CHECK(is_readable(ec, 0) == 0);
            CHECK_OK(ec_destroy(ec));
        } else {
            CHECK_OK(ec_destroy(ec));
            child_end(child);
        }
        CHECK(close(fd) == 0);
    }
    return 0;
}
