/* Channels, areas and associated sockets. */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include "check.h"
#include "pairs.h"

#define WAIT_MS 10000   /* longer than anything takes that happens at all */

/* Where the environment says so, all channels are of one thread. */
static inline ec_t channel_new(unsigned flags)
{
    if (getenv("CHECK_SINGLE") != NULL)
        flags |= EC_SINGLE;
    ec_t ec;
    CHECK_SET(ec, ec_create(flags));
    return ec;
}

static inline event_data_t user_event(uint64_t cookie)
{
    event_data_t event;
    memset(&event, 0, sizeof event);
    event.ev_type = EC_EV_USER;
    event.ev_fd = -1;
    event.ev_cookie = cookie;
    return event;
}

static inline void post_user(ec_t ec, uint64_t cookie)
{
    event_data_t event = user_event(cookie);
    CHECK_OK(ec_post(ec, &event));
}

/* The next event; fails when there is none for a long time. */
static inline event_data_t event_wait(ec_t ec)
{
    struct timespec limit = milliseconds(WAIT_MS);
    event_data_t event;
    memset(&event, 0xa5, sizeof event);
    CHECK_IS(ec_wait_events(ec, &event, 1, &limit, NULL), 1);
    CHECK(event.ev_pad == 0);
    CHECK(event.ev_reserved == 0);
    return event;
}

/* The next event of this type and descriptor; readiness that is repeated is passed over. */
static inline event_data_t event_wait_for(ec_t ec, int type, int fd)
{
    for (;;) {
        event_data_t event = event_wait(ec);
        if (event.ev_type == type && event.ev_fd == fd)
            return event;
        CHECK(event.ev_type == EC_EV_RECV || event.ev_type == EC_EV_FD);
    }
}

/* No event is queued, and none comes soon. */
static inline void check_no_event(ec_t ec, long ms)
{
    struct timespec limit = milliseconds(ms);
    event_data_t event;
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    CHECK_ERR(ec_delay(ec, &limit), ETIMEDOUT);
}

static inline dma_mem_t area_new(size_t size)
{
    dma_mem_t area = 0;
    CHECK_OK(dma_alloc(&area, size, 0));
    CHECK(area != 0);
    return area;
}

static inline void *block_new(dma_mem_t area, size_t size)
{
    void *block = NULL;
    CHECK_OK(sio_reserve(area, &block, size));
    CHECK(block != NULL);
    return block;
}

/* A socket with an area of its own and, if wanted, in a channel of its own. */
struct endpoint {
    int sock;
    dma_mem_t area;
    size_t size;
    ec_t ec;      /* -1: in no channel */
    int source;
};

enum attach { ALONE, ATTACHED };

#define ENDPOINT_COOKIE 0x1122334455667788u

static inline struct endpoint endpoint_open(int sock, size_t size, enum attach attach)
{
    struct endpoint end = { sock, area_new(size), size, -1, -1 };
    CHECK_OK(dma_assoc(sock, end.area, 0, 0));
    if (attach == ATTACHED) {
        end.ec = channel_new(0);
        CHECK_SET(end.source, ec_add_socket(end.ec, sock, 0, ENDPOINT_COOKIE));
    }
    return end;
}

/* Takes it all down again, and so checks that no block of the area was lost. */
static inline void endpoint_close(struct endpoint *end)
{
    CHECK_OK(sio_detach(end->sock));
    CHECK(close(end->sock) == 0);
    if (end->ec != -1)
        CHECK_OK(ec_destroy(end->ec));
    CHECK_OK(dma_free(end->area, end->size));
}

/* Runs a body for a socket in no channel and for one in a channel. */
static inline void each_attach(enum pair_kind kind,
                               void (*run)(enum pair_kind kind, enum attach attach))
{
    char text[64];
    for (int attach = ALONE; attach <= ATTACHED; attach++) {
        snprintf(text, sizeof text, "%s, %s", pair_name(kind),
                 attach == ALONE ? "in no channel" : "in a channel");
        check_context = text;
        run(kind, (enum attach)attach);
        check_context = "";
    }
}

/* The same for each of these kinds of sockets. */
static inline void each_pair_attached(unsigned kinds,
                                      void (*run)(enum pair_kind kind, enum attach attach))
{
    for (int kind = 0; kind < PAIR_KINDS; kind++)
        if (pair_is_wanted(kinds, (enum pair_kind)kind))
            each_attach((enum pair_kind)kind, run);
}

/* Waits until sio_recv has something to tell. */
static inline void endpoint_wait(struct endpoint *end)
{
    if (end->ec != -1)
        event_wait_for(end->ec, EC_EV_RECV, end->sock);
    else
        CHECK(poll(&(struct pollfd){ end->sock, POLLIN, 0 }, 1, WAIT_MS) == 1);
}

/* Receives this much of a stream, piece by piece, and gives it back. */
static inline void endpoint_read_pattern(struct endpoint *end, size_t size, size_t at)
{
    for (size_t done = 0; done < size;) {
        void *piece = NULL;
        int n;
        CHECK_SET(n, sio_recv(end->sock, &piece, size - done, 0));
        CHECK(n > 0 && (size_t)n <= size - done && piece != NULL);
        CHECK_PATTERN(piece, (size_t)n, at + done);
        CHECK_OK(sio_release(end->area, piece, (size_t)n));
        done += (size_t)n;
    }
}

/* A send of part of a block that has to be accepted; in a channel, waits for its event too. */
static inline void endpoint_send(struct endpoint *end, const void *from, size_t size, int flags)
{
    CHECK_IS(sio_send(end->sock, from, size, flags), (int)size);
    if (end->ec != -1 && !(flags & SIO_QUIET)) {
        event_data_t event = event_wait_for(end->ec, EC_EV_SENT, end->sock);
        CHECK(event.ev_result == (int64_t)size);
        CHECK(event.ev_errno == 0);
        CHECK(event.ev_ptr == from);
        CHECK(event.ev_len == size);
    }
}

/* A send that fails: at once, or with an event when the socket is in a channel. */
static inline void endpoint_send_fails(struct endpoint *end, const void *from, size_t size,
                                       int flags, int error, int or_error)
{
    int n = sio_send(end->sock, from, size, flags);
    if (n == (int)size && end->ec != -1) {
        event_data_t event = event_wait_for(end->ec, EC_EV_SENT, end->sock);
        CHECK(event.ev_result == -1);
        CHECK(event.ev_ptr == from);
        n = (int)event.ev_result;
        errno = event.ev_errno;
    }
    CHECK(n == -1);
    CHECK(errno == error || errno == or_error);
}

#endif
