/* The event of a futex, member by member; it comes once, and without ec_modify no other. */
#include "check.h"
#include "futex.h"

static uint32_t word = 5;

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int source;
    CHECK_SET(source, ec_add_futex(ec, &word, 5, 0, UINT64_MAX));
    check_no_event(ec, 20);
    word_set(&word, 6);
    futex_wake(&word, 1);
    event_data_t event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_FUTEX);
    CHECK(event.ev_fd == -1);
    CHECK(event.ev_cookie == UINT64_MAX);
    CHECK(event.ev_result == 0);
    CHECK(event.ev_errno == 0 && event.ev_flags == 0);
    CHECK(event.ev_ptr == &word);
    CHECK(event.ev_len == 0);
    CHECK(event.ev_source == source);
    word_set(&word, 7);
    CHECK(futex_wake(&word, 1) == 0);
    check_no_event(ec, 20);
    CHECK_OK(ec_remove(ec, source));
    CHECK_OK(ec_destroy(ec));
    CHECK(word == 7);
    return 0;
}
