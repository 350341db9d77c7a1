/* An eventfd with EFD_SEMAPHORE gives up its units one by one: the sum of the events is right. */
#include "check.h"

#include <sys/eventfd.h>

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int source, fd = eventfd(20, EFD_CLOEXEC | EFD_SEMAPHORE | EFD_NONBLOCK);
    size_t told = 0;
    CHECK(fd >= 0);
    CHECK_SET(source, ec_add_fd(ec, fd, POLLIN, EC_COUNTER, 0));
    while (told < 20) {
        event_data_t event = event_wait(ec);
        CHECK(event.ev_source == source && event.ev_len >= 1);
        told += event.ev_len;
    }
    CHECK(told == 20);
    check_no_event(ec, 10);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
