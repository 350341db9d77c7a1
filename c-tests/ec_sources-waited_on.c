/* A thread that waits is woken by a source of each kind, whoever adds it and whenever it fires. */
#include "sources.h"

static ec_t ec;
static _Atomic pid_t waiter_id;
static event_data_t event;

static void *waiter(void *argument)
{
    (void)argument;
    atomic_store(&waiter_id, thread_id());
    event = event_wait(ec);
    return NULL;
}

int main(void)
{
    check_start();
    for (int i = 0; i < 2 * KINDS; i++) {
        struct sources all;
        int kind = i / 2, is_added_before = i % 2;
        sources_make(&all);
        ec = channel_new(0);
        if (is_added_before)
            source_add(&all, ec, kind);
        atomic_store(&waiter_id, 0);
        pthread_t thread = thread_start(waiter, NULL);
        wait_asleep(&waiter_id);
        if (!is_added_before)
            source_add(&all, ec, kind);
        source_fire(&all, kind);
        thread_end(thread);
        source_take(&all, &event);
        CHECK_OK(ec_remove(ec, all.source[kind]));
        CHECK_OK(ec_destroy(ec));
        sources_end(&all);
    }
    return 0;
}
