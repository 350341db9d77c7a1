/* echo_libevent: a TCP echo server with libevent's events, read and write. Its bufferevents would
 * copy twice more, and cost more.
 *
 *     echo_libevent
 */
#include "echo.h"
#include <event2/event.h>

static struct event_base *base;
static struct event *watched[DESCRIPTORS]; /* by descriptor */

static void forget(int sock)
{
    event_free(watched[sock]);
    watched[sock] = NULL;
}

static void ready(evutil_socket_t sock, short what, void *context)
{
    (void)what;
    (void)context;
    echo_ready(sock);
}

static void watch(int sock, short what)
{
    if (event_assign(watched[sock], base, sock, what | EV_PERSIST | EV_ET, ready, NULL) < 0 ||
        event_add(watched[sock], NULL) < 0)
        errx(1, "event_add");
}

static void await(int sock, bool is_writing)
{
    event_del(watched[sock]);
    watch(sock, is_writing ? EV_WRITE : EV_READ);
}

static void accept_all(evutil_socket_t listener, short what, void *context)
{
    int sock;

    (void)what;
    (void)context;
    while ((sock = accept_one(listener)) >= 0) {
        watched[sock] = malloc(event_get_struct_event_size());
        if (!watched[sock])
            err(1, "malloc");
        watch(sock, EV_READ);
    }
}

int main(void)
{
    base = event_base_new();
    if (!base)
        errx(1, "event_base_new");
    int listener = listen_and_tell(SOCK_NONBLOCK);
    struct event *e = event_new(base, listener, EV_READ | EV_PERSIST, accept_all, NULL);
    if (!e || event_add(e, NULL) < 0)
        errx(1, "event_add");
    return event_base_dispatch(base);
}
