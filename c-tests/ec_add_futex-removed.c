/*
 * A source that is removed before a wake-up takes none; one that is removed, or whose channel is
 * destroyed, when it was woken and nobody has fetched that, passes it on to another waiter.
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

static pthread_t waiter_start(void)
{
    atomic_store(&waiter_id, 0);
    atomic_store(&is_woken, 0);
    pthread_t thread = thread_start(waiter, NULL);
    wait_asleep(&waiter_id);
    return thread;
}

int main(void)
{
    check_start();
    for (int i = 0; i < 6; i++) {
        ec_t ec = channel_new(0);
        int source, was_ours = 0;
        CHECK_SET(source, ec_add_futex(ec, &word, 0, 0, 1));
        if (i % 3 == 0) {
            CHECK_OK(ec_remove(ec, source));
            CHECK(futex_wake(&word, 1) == 0 && futex_wake_shared(&word, 1) == 0);
            pthread_t thread = waiter_start();
            CHECK(futex_wake(&word, 1) == 1);
            thread_end(thread);
            CHECK_OK(ec_destroy(ec));
            continue;
        }
        while (!was_ours) {
            pthread_t thread = waiter_start();
            /* Whoever came first gets it. */
            CHECK(futex_wake(&word, 1) == 1);
            while (!was_ours && !atomic_load(&is_woken))
                was_ours = i < 3 ? is_readable(ec, 10)
                                 : ec_delay(ec, &(struct timespec){ 0, 10000000 }) == 0;
            if (was_ours) {
                CHECK(atomic_load(&is_woken) == 0);
                if (i % 3 == 1)
                    CHECK_OK(ec_remove(ec, source));
                CHECK_OK(ec_destroy(ec));
            }
            thread_end(thread);
        }
    }
    return 0;
}
