/*
 * An echo on a warm connection, which is to receive, to send what was received, and to be told,
 * allocates no more than a few small things.
 */
#include "check.h"
#include "allocations.h"

/* Allocations of one round. */
enum { ALONE_MAX = 4, ATTACHED_MAX = 4 };

static struct endpoint end;
static int peer;

static void echo(size_t at)
{
    void *piece;
    int n;
    write_message(peer, 1000, at);
    for (int left = 1000; left > 0; left -= n) {
        endpoint_wait(&end);
        CHECK_SET(n, sio_recv(end.sock, &piece, (size_t)left, 0));
        endpoint_send(&end, piece, (size_t)n, SIO_RELEASE | (at % 2 ? SIO_QUIET : 0));
    }
    if (end.ec != -1)
        CHECK_OK(ec_flush(end.ec));
    read_message(peer, 1000, at);
}

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    peer = pair[1];
    end = endpoint_open(pair[0], 4 << 20, attach);
    count_allocations("echo", echo, (attach == ALONE ? ALONE_MAX : ATTACHED_MAX) * COUNTED_ROUNDS);
    endpoint_close(&end);
    CHECK(close(peer) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
