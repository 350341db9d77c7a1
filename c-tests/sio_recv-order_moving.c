/* What one thread receives of a stream comes in order while another takes the socket into a channel and out
 * of it. */
#include "endpoint.h"
#include "threads.h"

enum { ROUNDS = 2000, PIECE = 1000 };

static int peer;
static atomic_int is_over;
static struct endpoint end;

static void *write_stream(void *argument)
{
    (void)argument;
    for (size_t at = 0; !is_over; at += PIECE) {
        write_pattern(peer, PIECE, at);
        if (at / PIECE % 8 == 0)
            sched_yield();
    }
    CHECK(shutdown(peer, SHUT_WR) == 0);
    return NULL;
}

static void *receive(void *argument)
{
    int flags = *(int *)argument, got;
    size_t at = 0;
    void *piece;

    while ((got = sio_recv(end.sock, &piece, 700, flags)) != 0) {
        if (got < 0) {
            CHECK(errno == EAGAIN && flags != 0);
            sched_yield();
            continue;
        }
        CHECK_PATTERN(piece, (size_t)got, at);
        CHECK_OK(sio_release(end.area, piece, (size_t)got));
        at += (size_t)got;
    }
    return NULL;
}

static void run_with(enum pair_kind kind, int flags)
{
    int pair[2];

    pair_open(kind, pair);
    peer = pair[1];
    end = endpoint_open(pair[0], 1 << 18, ATTACHED);
    is_over = 0;
    pthread_t writer = thread_start(write_stream, NULL), reader = thread_start(receive, &flags);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(ec_remove(end.ec, end.source));
        if (i % 2 == 0)
            sched_yield();
        CHECK_SET(end.source, ec_add_socket(end.ec, end.sock, 0, 5));
        if (i % 3 == 0)
            sched_yield();
    }
    is_over = 1;
    thread_end(writer);
    thread_end(reader);
    endpoint_close(&end);
    CHECK(close(peer) == 0);
}

static void run(enum pair_kind kind)
{
    run_with(kind, 0);
    run_with(kind, MSG_DONTWAIT);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
