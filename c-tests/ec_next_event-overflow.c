/* A channel that is full refuses the next event with EAGAIN; what it holds comes out whole. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(EC_CAPACITY(3));
    event_data_t event = user_event(99);
    uint64_t posted = 0, fetched = 0;
    for (int round = 0; round < 1000; round++) {
        for (;;) {
            event.ev_cookie = posted;
            errno = ERRNO_KEPT;
            if (ec_post(ec, &event) == -1)
                break;
            CHECK(errno == ERRNO_KEPT);
            posted++;
        }
        CHECK(errno == EAGAIN);
        CHECK(posted - fetched == 8);
        for (int i = 0; i <= round % 8; i++) {
            CHECK_OK(ec_next_event(ec, &event));
            CHECK(event.ev_cookie == fetched++);
        }
    }
    while (fetched < posted)
        CHECK(event_wait(ec).ev_cookie == fetched++);
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
