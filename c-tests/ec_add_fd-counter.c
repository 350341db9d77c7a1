/*
 * With EC_COUNTER the channel reads an eventfd: the event has the value, what is written until it
 * is fetched is added up, and nothing is lost or told twice.
 */
#include "check.h"

#include <sys/eventfd.h>

static void add(int fd, uint64_t value)
{
    CHECK(write(fd, &value, sizeof value) == sizeof value);
}

int main(void)
{
    static const unsigned variants[] = { EC_COUNTER, EC_COUNTER | EC_EDGE };
    static const int kinds[] = { EFD_CLOEXEC, EFD_CLOEXEC | EFD_NONBLOCK };
    check_start();
    for (int i = 0; i < 4; i++) {
        ec_t ec = channel_new(0);
        int source, fd = eventfd(3, kinds[i / 2]);
        CHECK(fd >= 0);
        CHECK_SET(source, ec_add_fd(ec, fd, POLLIN, variants[i % 2], 7));
        event_data_t event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_FD && event.ev_fd == fd && event.ev_cookie == 7);
        CHECK(event.ev_result == POLLIN && event.ev_len == 3 && event.ev_ptr == NULL);
        CHECK(event.ev_errno == 0 && event.ev_flags == 0 && event.ev_source == source);
        check_no_event(ec, 10);
        CHECK(is_readable(fd, 0) == 0);

        /* Looks at the channel between the values read some of them already. */
        uint64_t total = 0, told = 0;
        for (uint64_t value = 1; value <= 500; value++) {
            add(fd, value);
            total += value;
            if (value % 3 == 0)
                CHECK(is_readable(ec, WAIT_MS) == 1);
            if (value % 7 == 0)
                CHECK_OK(ec_delay(ec, &(struct timespec){ 1, 0 }));
            if (value % 11 == 0)
                told += event_wait(ec).ev_len;
        }
        while (told < total)
            told += event_wait(ec).ev_len;
        CHECK(told == total);
        check_no_event(ec, 10);

        /* The largest value there is. */
        add(fd, UINT64_MAX - 1);
        CHECK(event_wait(ec).ev_len == UINT64_MAX - 1);
        CHECK_OK(ec_remove(ec, source));
        add(fd, 1);
        check_no_event(ec, 10);
        CHECK(is_readable(fd, 0) == 1);
        CHECK_OK(ec_destroy(ec));
        CHECK(close(fd) == 0);
    }
    return 0;
}
