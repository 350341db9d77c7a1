/* A word that cannot be read is told in its event; the others go on, in a channel of either kind. */
#include "check.h"
#include "futex.h"

#include <sys/mman.h>

static uint32_t word;

static void wait_for_both(unsigned flags)
{
    ec_t ec = channel_new(flags);
    int good, bad;
    uint32_t *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(nowhere != MAP_FAILED);
    CHECK_SET(good, ec_add_futex(ec, &word, word, 0, 1));
    CHECK_SET(bad, ec_add_futex(ec, nowhere, 0, 0, 2));
    event_data_t event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_FUTEX && event.ev_source == bad && event.ev_cookie == 2);
    CHECK(event.ev_result == -1 && event.ev_errno == EFAULT && event.ev_ptr == nowhere);
    check_no_event(ec, 20);

    /* It can be armed again once there is something. */
    CHECK(mprotect(nowhere, 4096, PROT_READ | PROT_WRITE) == 0);
    CHECK_OK(ec_modify(ec, bad, 0, 0));
    check_no_event(ec, 20);
    word_set(nowhere, 1);
    futex_wake(nowhere, 1);
    event = event_wait(ec);
    CHECK(event.ev_source == bad && event.ev_result == 0 && event.ev_errno == 0);
    word_set(&word, word + 1);
    futex_wake(&word, 1);
    event = event_wait(ec);
    CHECK(event.ev_source == good && event.ev_result == 0 && event.ev_errno == 0);
    CHECK_OK(ec_destroy(ec));
    CHECK(munmap(nowhere, 4096) == 0);
}

int main(void)
{
    check_start();
    wait_for_both(0);
    wait_for_both(EC_SINGLE);
    return 0;
}
