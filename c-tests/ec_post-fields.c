/* ec_post queues a copy of the event: every field comes out as it went in, but ev_source is -1. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t in, out;
    memset(&in, 0, sizeof in);
    in.ev_type = EC_EV_USER;
    in.ev_fd = -12345;
    in.ev_cookie = 0xfedcba9876543210u;
    in.ev_result = INT64_MIN;
    in.ev_errno = EOWNERDEAD;
    in.ev_flags = 0xffffffffu;
    in.ev_ptr = &in;
    in.ev_len = SIZE_MAX;
    in.ev_source = 4711;
    event_data_t expected = in;
    expected.ev_source = -1;
    CHECK_OK(ec_post(ec, &in));
    memset(&in, 0xee, sizeof in);
    CHECK_OK(ec_next_event(ec, &out));
    CHECK(memcmp(&out, &expected, sizeof out) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
