/* One connection of httpd: requests in, responses out, each step as far as it can go at the time.
 */
#ifndef HTTPD_CONNECTION_H
#define HTTPD_CONNECTION_H

#include "http_response.h"
#include "httpd_files.h"

/* A slow client leaves memory to the others: it has at most so many responses under way. */
enum { RESPONSES = 4, HEAD_MAX = HTTP_RESPONSE_MAX + SMALL_BYTES, PART_MAX = 1 << 30 };

struct connection {
    struct body body; /* what is left of the response under way */
    unsigned sending; /* sends that EC_EV_SENT will tell about */
    bool last;        /* the response is the last one: more requests are not looked at */
    bool ended;       /* the client sends no more */
    bool refused;     /* there was no room for a send or a block: to be tried again */
    size_t readable;  /* what has come as far as EC_EV_RECV told, and sio_recv has not taken */
    size_t size;
    char request[HTTP_REQUEST_MAX]; /* heads come in pieces, and are small enough to be copied */
};

static dma_mem_t area;
static unsigned long requests;
static struct sio_info total; /* of the connections that are closed */

/* Hands over the rest of a body, or what of it fits into a number: it goes out behind the head. */
static int send_part(int sock, struct body *body)
{
    long long left = body->end - body->at, size = left < PART_MAX ? left : PART_MAX;

    if (sio_sendfile(sock, body->file->fd, (off_t)body->at, (size_t)size, 0) < 0)
        return -1;
    body->at += size;
    return 0;
}

/* Answers the next request. Returns 1, or 0 when it has not come yet, or -1 and errno. */
static int answer(int sock, struct connection *c)
{
    struct body *body = &c->body;
    struct http_request r;
    long long size = 0;
    void *head;
    size_t used = c->size > 0 ? http_parse(c->request, c->size, &r) : 0;

    if (used == 0 || sio_reserve(area, &head, HEAD_MAX) < 0)
        return used == 0 ? 0 : -1;
    if (r.status == 200 && (r.status = files_open(body, r.path, &size)) == 200)
        http_range(&r, size);
    body->at = r.first;
    body->end = r.head ? r.first : r.end;
    size_t length = http_head(head, &r, size, time(NULL));
    length += files_copy(body, (char *)head + length);
    bool more = body->at < body->end; /* the body follows before anything goes out */
    if (sio_send(sock, head, length, SIO_RELEASE | (more ? SIO_QUIET : 0)) < 0) {
        int error = errno;
        sio_release(area, head, HEAD_MAX);
        files_close(body);
        errno = error;
        return -1;
    }
    c->sending += !more;
    c->last = r.close;
    c->size -= used;
    memmove(c->request, c->request + used, c->size);
    requests++;
    return 1;
}

/* Takes what the client sent. Returns as recv does. */
static int receive(int sock, struct connection *c)
{
    void *block;
    int n = sio_recv(sock, &block, HTTP_REQUEST_MAX - c->size, MSG_DONTWAIT);

    if (n > 0 && !c->last)
        c->size = (size_t)((char *)mempcpy(c->request + c->size, block, (size_t)n) - c->request);
    if (n > 0)
        sio_release(area, block, (size_t)n);
    c->ended = n == 0;
    c->readable -= n > 0 && (size_t)n < c->readable ? (size_t)n : c->readable;
    return n;
}

/* Hands over responses. Returns 1 when requests are needed, 0 when sends have to complete first. */
static int respond(int sock, struct connection *c)
{
    while (c->sending < RESPONSES) {
        if (c->body.at < c->body.end) {
            if (send_part(sock, &c->body) < 0)
                return -1;
            c->sending++;
            continue;
        }
        files_close(&c->body);
        int answered = c->last ? 0 : answer(sock, c);
        if (answered <= 0)
            return answered < 0 ? -1 : 1;
    }
    return 0;
}

/* Goes on after any event, so that nothing has to be remembered of why it stopped. False when the
 * connection is to be closed. */
static bool go_on(int sock, struct connection *c)
{
    int state;

    while ((state = respond(sock, c)) > 0) {
        if (c->last && c->sending == 0) /* closing at once could destroy what is under way */
            shutdown(sock, SHUT_WR);
        if (!c->ended && c->readable == 0)
            return true;
        int n = c->ended ? 0 : receive(sock, c);
        if (n == 0)
            return c->sending > 0; /* detaching would cancel what is being sent */
        if (n < 0)
            return errno == EAGAIN;
    }
    c->refused = state < 0 && (errno == EAGAIN || errno == ENOBUFS);
    return state == 0 || c->refused;
}

static void connection_close(int sock, struct connection *c)
{
    struct sio_info info;

    if (sio_info(sock, &info, sizeof info) == 0) {
        total.si_sent_bytes += info.si_sent_bytes;
        total.si_sent_copied_bytes += info.si_sent_copied_bytes;
        memcpy(total.si_engine, info.si_engine, sizeof info.si_engine);
    }
    files_close(&c->body);
    sio_detach(sock); /* before close: the library does not see close */
    close(sock);
    free(c);
}

#endif
