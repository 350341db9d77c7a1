/* ec_remove and ec_destroy hand back a unit that was not fetched; a thread that waits gets it. */
#include "check.h"

static sem_t sem;
static _Atomic pid_t waiter_id;

static void *waiter(void *argument)
{
    (void)argument;
    atomic_store(&waiter_id, thread_id());
    CHECK(sem_wait(&sem) == 0);
    return NULL;
}

int main(void)
{
    check_start();
    CHECK(sem_init(&sem, 0, 0) == 0);
    for (int i = 0; i < 16; i++) {
        ec_t ec = channel_new(0);
        int source, value, was_posted_before = i & 2, is_looked_at = i & 4;
        if (was_posted_before)
            CHECK(sem_post(&sem) == 0);
        CHECK_SET(source, ec_add_sem(ec, &sem, i & 8 ? EC_ONESHOT : 0, 1));
        if (!was_posted_before)
            CHECK(sem_post(&sem) == 0);
        if (is_looked_at || !was_posted_before)
            CHECK_OK(ec_delay(ec, &(struct timespec){ 10, 0 }));
        /* It is the source's: a thread waits for another one. */
        CHECK(sem_getvalue(&sem, &value) == 0 && value == 0);
        atomic_store(&waiter_id, 0);
        pthread_t thread = thread_start(waiter, NULL);
        wait_asleep(&waiter_id);
        if (i % 2)
            CHECK_OK(ec_remove(ec, source));
        CHECK_OK(ec_destroy(ec));
        thread_end(thread);
        CHECK(sem_trywait(&sem) == -1 && errno == EAGAIN);
    }
    CHECK(sem_destroy(&sem) == 0);
    return 0;
}
