/* EC_CAPACITY(log2) is the number of events that a channel holds: one more is refused. */
#include "check.h"

static void fill_and_drain(ec_t ec, uint64_t capacity)
{
    event_data_t event = user_event(capacity);
    for (uint64_t i = 0; i < capacity; i++)
        post_user(ec, i);
    CHECK_ERR(ec_post(ec, &event), EAGAIN);
    for (uint64_t i = 0; i < capacity; i++) {
        CHECK_OK(ec_next_event(ec, &event));
        CHECK(event.ev_cookie == i);
    }
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
}

int main(void)
{
    check_start();
    static const unsigned logs[] = { 1, 2, 6, 13 };
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        for (unsigned single = 0; single <= EC_SINGLE; single += EC_SINGLE) {
            ec_t ec = channel_new(single | EC_CAPACITY(logs[i]));
            fill_and_drain(ec, 1u << logs[i]);
            fill_and_drain(ec, 1u << logs[i]);
            CHECK_OK(ec_destroy(ec));
        }
    }
    ec_t ec = channel_new(0);
    fill_and_drain(ec, 4096);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
