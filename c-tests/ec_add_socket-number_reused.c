/* A socket that is closed without being detached, and that another process still has, takes nothing of
 * what comes for whoever has its number then. */
#include "endpoint.h"
#include "process.h"
#include "threads.h"

enum { BYTES = 3000 };

static void run(enum pair_kind kind)
{
    int pair[2], other[2], lifeline;

    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, ATTACHED);
    write_pattern(pair[1], 100, 0);
    endpoint_read_pattern(&end, 100, 0);

    pid_t child = child_running(&lifeline);
    pair_open(kind, other);
    CHECK(dup2(other[0], pair[0]) == pair[0]);
    write_pattern(other[1], BYTES, 7);
    write_pattern(pair[1], BYTES, 0);
    struct timespec limit = milliseconds(50);
    event_data_t event;
    for (int i = 0; i < 5; i++)
        ec_wait_events(end.ec, &event, 1, &limit, NULL);
    read_pattern(pair[0], BYTES, 7);

    CHECK(close(lifeline) == 0);
    child_end(child);
    CHECK(close(pair[1]) == 0 && close(other[0]) == 0 && close(other[1]) == 0);
    CHECK_OK(ec_destroy(end.ec));
    CHECK(close(pair[0]) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
