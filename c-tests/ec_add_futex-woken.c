/* A wake-up is told, private or shared, with the word changed or not. */
#include "check.h"
#include "futex.h"

#include <sys/mman.h>

int main(void)
{
    check_start();
    for (int i = 0; i < 40; i++) {
        int is_shared = i & 1, is_changed = i & 2, is_mapped = i & 4;
        ec_t ec = channel_new(i & 8 ? EC_SINGLE : 0);
        int source, woken = 0;
        uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                              (is_mapped ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
        CHECK(word != MAP_FAILED);
        word += i;
        CHECK_SET(source, ec_add_futex(ec, word, 0, 0, 1));
        CHECK_OK(ec_flush(ec));
        if (is_changed)
            word_set(word, 1);
        /* Until somebody is there to be woken, or has seen that the word is another. */
        while (woken == 0 && !is_readable(ec, 0))
            woken = is_shared ? futex_wake_shared(word, 1) : futex_wake(word, 1);
        CHECK(woken <= 1);
        event_data_t event = event_wait(ec);
        CHECK(event.ev_source == source && event.ev_ptr == word && event.ev_result == 0);
        CHECK(futex_wake(word, 1) == 0 && futex_wake_shared(word, 1) == 0);
        check_no_event(ec, 2);
        CHECK_OK(ec_destroy(ec));
        CHECK(munmap(word - i, 4096) == 0);
    }
    return 0;
}
