/*
 * A source that was armed while the process had one thread is woken by the first one that it
 * starts: kernels have moved private futexes to a table of the process's own at that moment.
 */
#include "check.h"
#include "futex.h"

static uint32_t word;

static void *waker(void *argument)
{
    (void)argument;
    word_set(&word, 1);
    futex_wake(&word, 1);
    return NULL;
}

int main(void)
{
    check_start();
    for (int i = 0; i < 8; i++) {
        /* Each in a process that has had no thread. */
        pid_t child = child_start();
        if (child == 0) {
            ec_t ec = channel_new(0);
            int source;
            CHECK_SET(source, ec_add_futex(ec, &word, 0, 0, 1));
            check_no_event(ec, 5);
            pthread_t thread = thread_start(waker, NULL);
            CHECK(event_wait(ec).ev_source == source);
            thread_end(thread);
            CHECK_OK(ec_destroy(ec));
            exit(0);
        }
        child_end(child);
    }
    return 0;
}
