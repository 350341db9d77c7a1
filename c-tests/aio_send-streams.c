/*
 * Streams: everything is sent, in the order of the requests, also more than there is room for; the
 * caller never waits, whether the socket blocks or not. Received is what is there.
 */
#include "aio_cb.h"

#define LARGE (1 << 21)
#define PIECES 4

static char *out, *in;

/* The program may do other things meanwhile: nobody reads yet. */
static void run_mode(enum pair_kind kind, int nonblocking)
{
    struct aio_cb sends[PIECES], small, receive;
    int pair[2];
    size_t done = 0;

    pair_open(kind, pair);
    make_narrow(pair);
    set_nonblocking(pair[0], nonblocking);
    set_nonblocking(pair[1], nonblocking);
    /* Nothing is there yet. */
    memset(in, 0, LARGE);
    receive = cb_new(pair[1], in, 100);
    CHECK_OK(aio_recv(&receive, 0));
    CB_WAITS(&receive);
    small = cb_new(pair[0], out, 10);
    CHECK_OK(aio_send(&small, 0));
    CB_DONE(&small, 10);
    CB_DONE(&receive, 10);
    CHECK_PATTERN(in, 10, 0);

    for (int i = 0; i < PIECES; i++) {
        sends[i] = cb_new(pair[0], out + i * (LARGE / PIECES), LARGE / PIECES);
        CHECK_OK(aio_send(&sends[i], i % 2 ? MSG_NOSIGNAL : 0));
    }
    CB_WAITS(&sends[PIECES - 1]);
    while (done < LARGE) {
        receive = cb_new(pair[1], in + done, LARGE - done);
        CHECK_OK(aio_recv(&receive, 0));
        CHECK(aio_await(&receive.aiocb) == 0);
        ssize_t n = aio_return(&receive.aiocb);
        CHECK(n > 0);
        done += (size_t)n;
    }
    CHECK_PATTERN(in, LARGE, 0);
    for (int i = 0; i < PIECES; i++)
        CB_DONE(&sends[i], LARGE / PIECES);
    CHECK(close(pair[0]) == 0);
    /* The end of the stream, again and again. */
    receive = cb_new(pair[1], in, 100);
    CHECK_OK(aio_recv(&receive, 0));
    CB_DONE(&receive, 0);
    CHECK_OK(aio_recv(&receive, MSG_WAITALL));
    CB_DONE(&receive, 0);
    CHECK(close(pair[1]) == 0);
}

static void run(enum pair_kind kind)
{
    run_mode(kind, 0);
    run_mode(kind, 1);
}

int main(void)
{
    check_start();
    CHECK((out = malloc(LARGE)) != NULL && (in = malloc(LARGE)) != NULL);
    pattern_fill(out, LARGE, 0);
    each_pair(STREAM_PAIRS, run);
    return 0;
}
