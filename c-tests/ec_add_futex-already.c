/* A word that is not what is expected is told at once, also when the source is armed again. */
#include "check.h"
#include "futex.h"

static uint32_t word = 1;

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int source;
    CHECK_SET(source, ec_add_futex(ec, &word, 0, 0, 1));
    for (uint32_t i = 0; i < 20; i++) {
        event_data_t event = event_wait(ec);
        CHECK(event.ev_source == source && event.ev_result == 0 && event.ev_errno == 0);
        check_no_event(ec, 1);
        CHECK_OK(ec_modify(ec, source, 100 + i, 0));
    }
    event_wait(ec);
    CHECK_OK(ec_modify(ec, source, 1, 0));
    check_no_event(ec, 20);
    CHECK_OK(ec_remove(ec, source));
    CHECK_SET(source, ec_add_futex(ec, &word, UINT32_MAX, 0, 1));
    CHECK(event_wait(ec).ev_source == source);
    word_set(&word, UINT32_MAX);
    CHECK_OK(ec_modify(ec, source, UINT32_MAX, 0));
    check_no_event(ec, 20);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
