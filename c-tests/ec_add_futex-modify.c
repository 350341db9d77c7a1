/*
 * Two threads count to and fro with a word: one waits with futex(2), the other with a source that
 * ec_modify arms again with what it has seen. No step is missed.
 */
#include "check.h"
#include "futex.h"

#define STEPS 2000

static uint32_t word;

static void *partner(void *argument)
{
    (void)argument;
    for (uint32_t step = 0; step < STEPS; step += 2) {
        word_set(&word, step + 1);
        futex_wake(&word, 1);
        while (word_get(&word) == step + 1)
            CHECK(futex_wait(&word, step + 1) == 0 || errno == EAGAIN);
    }
    return NULL;
}

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int source;
    CHECK_SET(source, ec_add_futex(ec, &word, 0, 0, 1));
    pthread_t thread = thread_start(partner, NULL);
    for (uint32_t step = 0; step < STEPS; step += 2) {
        do {
            CHECK(event_wait(ec).ev_source == source);
            /* A wake-up may be spurious. */
            if (word_get(&word) == step)
                CHECK_OK(ec_modify(ec, source, step, 0));
        } while (word_get(&word) == step);
        CHECK(word_get(&word) == step + 1);
        word_set(&word, step + 2);
        CHECK_OK(ec_modify(ec, source, step + 2, 0));
        futex_wake(&word, 1);
    }
    thread_end(thread);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
