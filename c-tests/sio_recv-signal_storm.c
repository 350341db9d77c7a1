/*
 * A signal every 100 microseconds, with a handler that lets calls be restarted or not: blocking
 * receives and sends fail with EINTR alone, and then have changed nothing. Each byte arrives, in
 * both directions, once and in order.
 */
#include "check.h"

#define TOTAL (1 << 20)
#define PIECE 20000

static int peer;
static int flags_of_handler;

/* The peer takes its time, so that the other side has to wait. */
static void *peer_writes(void *argument)
{
    (void)argument;
    for (size_t at = 0; at < TOTAL; at += TOTAL / 64) {
        write_pattern(peer, TOTAL / 64, at);
        usleep(200);
    }
    return NULL;
}

static void *peer_reads(void *argument)
{
    (void)argument;
    for (size_t at = 0; at < TOTAL; at += TOTAL / 64) {
        read_pattern(peer, TOTAL / 64, at);
        usleep(200);
    }
    return NULL;
}

/* One piece in one of three ways: where its data is, and what has to be released. */
static int receive(struct endpoint *end, int style, void **data, void **block, size_t *size)
{
    int n;
    switch (style % 3) {
    case 0:
        n = sio_recv(end->sock, block, PIECE, 0);
        break;
    case 1:
        n = sio_recvfrom(end->sock, (const void **)block, PIECE, 0, NULL, 0);
        break;
    default:
        n = sio_recvmsg(end->sock, (const void **)block, sizeof(struct msghdr), 0);
        if (n > 0) {
            *data = ((struct msghdr *)*block)->msg_iov[0].iov_base;
            *size = sizeof(struct msghdr);
        }
        return n;
    }
    *data = *block;
    *size = (size_t)n;
    return n;
}

static long receive_all(struct endpoint *end)
{
    long interrupted = 0;
    size_t at = 0;
    for (int style = 0; at < TOTAL; style++) {
        void *data = NULL, *block = NULL;
        size_t size = 0;
        int n = receive(end, style, &data, &block, &size);
        if (n == -1) {
            CHECK(errno == EINTR);
            interrupted++;
            continue;
        }
        CHECK(n > 0);
        CHECK_PATTERN(data, (size_t)n, at);
        CHECK_OK(sio_release(end->area, block, size));
        at += (size_t)n;
    }
    return interrupted;
}

/* In no channel a send blocks; in one it is accepted, and waiting for its end is what blocks. */
static long send_all(struct endpoint *end)
{
    long interrupted = 0;
    for (size_t at = 0; at < TOTAL;) {
        size_t size = TOTAL - at < PIECE ? TOTAL - at : PIECE;
        void *block = block_new(end->area, size);
        pattern_fill(block, size, at);
        int n;
        while ((n = sio_send(end->sock, block, size, SIO_RELEASE)) == -1) {
            CHECK(errno == EINTR);
            interrupted++;
        }
        CHECK(n == (int)size);
        event_data_t event = { 0 };
        while (end->ec != -1 && event.ev_type != EC_EV_SENT) {
            n = ec_wait_events(end->ec, &event, 1, NULL, NULL);
            CHECK(n == 1 || errno == EINTR);
            interrupted += n == -1;
        }
        CHECK(end->ec == -1 || event.ev_result == (int64_t)size);
        at += size;
    }
    return interrupted;
}

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2], small = 16384;
    pair_open(kind, pair);
    peer = pair[1];
    for (int i = 0; i < 2; i++)
        CHECK(setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, attach);
    timer_t timer = storm_start(flags_of_handler);
    pthread_t thread = thread_start_sheltered(peer_writes, NULL);
    long interrupted = receive_all(&end);
    thread_end(thread);
    thread = thread_start_sheltered(peer_reads, NULL);
    interrupted += send_all(&end);
    thread_end(thread);
    CHECK(timer_delete(timer) == 0);
    CHECK(interrupted > 0);
    endpoint_close(&end);
    CHECK(close(peer) == 0);
}

static void run_both(enum pair_kind kind)
{
    each_attach(kind, run);
}

int main(void)
{
    check_start();
    each_pair(1u << TCP4 | 1u << UNIX_STREAM, run_both);
    flags_of_handler = SA_RESTART;
    each_pair(1u << TCP4 | 1u << UNIX_STREAM, run_both);
    return 0;
}
