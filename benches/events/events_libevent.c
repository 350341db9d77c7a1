/* events_libevent: events with libevent.
 *
 *     events_libevent edge|level|data own|apart SOURCES ACTIVE SECONDS PROCESSOR
 *
 * Data is edge-triggered and read(2).
 */
#include "events.h"
#include <event2/event.h>

static struct event_base *base;
static enum trigger trigger;
static int taken;

static void start(enum trigger wanted)
{
    trigger = wanted;
    base = event_base_new();
    if (!base)
        errx(1, "event_base_new");
}

static void ready(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    (void)context;
    taken++;
    if (trigger != EDGE)
        read_value(fd);
}

static void watch(int fd)
{
    short what = EV_READ | EV_PERSIST | (trigger == LEVEL ? 0 : EV_ET);
    struct event *event = event_new(base, fd, what, ready, NULL);

    if (!event || event_add(event, NULL) < 0)
        errx(1, "event_add");
}

static int take(void)
{
    taken = 0;
    if (event_base_loop(base, EVLOOP_ONCE) != 0)
        errx(1, "event_base_loop");
    return taken;
}

int main(int argc, char **argv)
{
    return argc < 7 ? 2 : run_events(argv + 1, &(struct contestant){start, watch, take});
}
