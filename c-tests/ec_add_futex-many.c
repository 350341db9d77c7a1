/* More words than one thread of the library can wait on, in two channels; each is told once. */
#include "check.h"
#include "futex.h"

#define WORDS 300

static uint32_t words[WORDS];

int main(void)
{
    check_start();
    ec_t ec[2] = { channel_new(0), channel_new(0) };
    int source[WORDS];
    for (int round = 0; round < 3; round++) {
        int told[WORDS] = { 0 };
        for (int i = 0; i < WORDS; i++)
            CHECK_SET(source[i], ec_add_futex(ec[i % 2], &words[i], 0, 0, (uint64_t)i));
        check_no_event(ec[0], 10);
        check_no_event(ec[1], 10);
        for (int i = 0; i < WORDS; i += 3) {
            word_set(&words[i], 1);
            futex_wake(&words[i], 1);
        }
        for (int i = 0; i < WORDS; i += 3) {
            event_data_t event = event_wait(ec[i % 2]);
            CHECK(event.ev_cookie % 3 == 0 && event.ev_cookie % 2 == (unsigned)i % 2);
            CHECK(told[event.ev_cookie]++ == 0);
            CHECK(event.ev_ptr == &words[event.ev_cookie]);
        }
        check_no_event(ec[0], 5);
        check_no_event(ec[1], 5);
        for (int i = 0; i < WORDS; i++)
            CHECK_OK(ec_remove(ec[i % 2], source[i]));
        memset(words, 0, sizeof words);
    }
    CHECK_OK(ec_destroy(ec[0]));
    CHECK_OK(ec_destroy(ec[1]));
    return 0;
}
