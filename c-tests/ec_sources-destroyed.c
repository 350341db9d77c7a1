/*
 * ec_destroy with every kind of source armed, silent or with an event that was not fetched: what
 * others can use is handed back, and nothing is left open.
 */
#include "sources.h"

static void run(int is_fired, int is_looked_at)
{
    struct sources all;
    ec_t ec = channel_new(0);
    int value;
    sources_make(&all);
    sources_add(&all, ec);
    if (is_fired)
        for (int kind = 0; kind < KINDS; kind++)
            source_fire(&all, kind);
    if (is_looked_at)
        CHECK_OK(ec_delay(ec, &(struct timespec){ 10, 0 }));
    CHECK_OK(ec_destroy(ec));
    CHECK(sem_getvalue(&all.sem, &value) == 0 && value == is_fired);
    CHECK(signal_take(&all.set) == (is_fired ? SIGRTMIN + 5 : 0));
    if (is_fired) {
        int status;
        CHECK(waitpid(all.child, &status, 0) == all.child && status == SIGKILL);
        CHECK(queue_receive_byte(all.queue) == 'x' && queue_receive_byte(all.edge_queue) == 'x');
    }
    CHECK(futex_wake(&all.word, 9) == 0 && futex_wake_shared(&all.word, 9) == 0);
    sources_end(&all);
}

static void each(void)
{
    run(0, 0);
    run(1, 0);
    run(1, 1);
}

int main(void)
{
    check_start();
    check_no_leak(each, 1 << 16);
    return 0;
}
