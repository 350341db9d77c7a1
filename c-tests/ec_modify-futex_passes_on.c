/*
 * ec_modify of a futex source that was woken and whose event was not fetched: the wake-up goes to
 * another waiter, and the source waits anew.
 */
#include "check.h"
#include "futex.h"

static uint32_t word;
static _Atomic pid_t waiter_id;
static _Atomic int is_woken;

static void *waiter(void *argument)
{
    (void)argument;
    atomic_store(&waiter_id, thread_id());
    CHECK(futex_wait(&word, 0) == 0);
    atomic_store(&is_woken, 1);
    return NULL;
}

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int source, was_ours = 0;
    CHECK_SET(source, ec_add_futex(ec, &word, 0, 0, 1));
    while (!was_ours) {
        atomic_store(&waiter_id, 0);
        atomic_store(&is_woken, 0);
        pthread_t thread = thread_start(waiter, NULL);
        wait_asleep(&waiter_id);
        CHECK(futex_wake(&word, 1) == 1);
        while (!was_ours && !atomic_load(&is_woken))
            was_ours = is_readable(ec, 10);
        if (was_ours)
            CHECK_OK(ec_modify(ec, source, 0, 0));
        thread_end(thread);
    }
    check_no_event(ec, 20);
    word_set(&word, 1);
    futex_wake(&word, 1);
    CHECK(event_wait(ec).ev_source == source);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
