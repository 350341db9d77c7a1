/* The events of one source come first in, first out. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    uint64_t posted = 0, fetched = 0;
    for (unsigned round = 1; round < 60; round++) {
        for (unsigned i = 0; i < round; i++)
            post_user(ec, posted++);
        for (unsigned i = 0; i < round - round % 7; i++)
            CHECK(event_wait(ec).ev_cookie == fetched++);
    }
    while (fetched < posted)
        CHECK(event_wait(ec).ev_cookie == fetched++);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
