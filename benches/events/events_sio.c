/* events_sio: events with libsio.
 *
 *     events_sio single|shared edge|level|data own|apart SOURCES ACTIVE SECONDS PROCESSOR
 */
#include "events.h"
#include <poll.h>
#include <sio.h>

static unsigned channel_flags;
static ec_t ec;
static enum trigger trigger;

static void start(enum trigger wanted)
{
    trigger = wanted;
    ec = check(ec_create(channel_flags), "ec_create");
}

static void watch(int fd)
{
#ifdef EC_COUNTER
    unsigned flags = trigger == EDGE ? EC_EDGE : trigger == DATA ? EC_COUNTER : 0;
#else
    unsigned flags = trigger == EDGE ? EC_EDGE : 0;
#endif
    check(ec_add_fd(ec, fd, POLLIN, flags, 0), "ec_add_fd");
}

static int take(void)
{
    event_data_t events[BATCH];
    int n = check(ec_wait_events(ec, events, BATCH, NULL, NULL), "ec_wait_events");

    for (int i = 0; i < n; i++) {
#ifdef EC_COUNTER
        if (trigger == DATA) {
            values_read += events[i].ev_len;
            continue;
        }
#endif
        if (trigger != EDGE)
            read_value(events[i].ev_fd);
    }
    return n;
}

int main(int argc, char **argv)
{
    if (argc < 8)
        return 2;
    channel_flags = strncmp(argv[1], "single", 6) == 0 ? EC_SINGLE : 0;
    return run_events(argv + 2, &(struct contestant){start, watch, take});
}
