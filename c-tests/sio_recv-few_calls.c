/* What arrives on many connections at once is received and sent back with few system calls: with a
 * ring one for eight messages, by readiness three for each. A parent counts the calls of a
 * child. */
#include "calls.h"

enum { CONNECTIONS = 32, BATCHES = 20, WARM_UP = 4, MESSAGES = CONNECTIONS * BATCHES };

static void echo(ec_t ec)
{
    event_data_t events[CONNECTIONS];

    for (int done = 0, n; done < CONNECTIONS;) {
        CHECK_SET(n, ec_wait_events(ec, events, CONNECTIONS, NULL, NULL));
        for (int i = 0; i < n; i++) {
            void *block;
            int size;
            CHECK(events[i].ev_type == EC_EV_RECV && events[i].ev_errno == 0);
            CHECK_SET(size, sio_recv(events[i].ev_fd, &block, (size_t)events[i].ev_result, 0));
            CHECK_IS(sio_send(events[i].ev_fd, block, (size_t)size, SIO_RELEASE | SIO_QUIET), size);
            done++;
        }
    }
    CHECK_OK(ec_flush(ec));
}

static void serve(size_t size, unsigned flags)
{
    int pairs[CONNECTIONS][2];
    char message[4096], back[4096];
    dma_mem_t area;
    ec_t ec;

    CHECK_SET(ec, ec_create(flags));
    CHECK_OK(dma_alloc(&area, 4 << 20, 0));
    for (int i = 0; i < CONNECTIONS; i++) {
        pair_open(TCP4, pairs[i]);
        CHECK_OK(dma_assoc(pairs[i][0], area, 0, 0));
        CHECK(ec_add_socket(ec, pairs[i][0], 0, 0) >= 0);
    }
    pattern_fill(message, size, 0);
    for (int batch = 0; batch < WARM_UP + BATCHES; batch++) {
        for (int i = 0; i < CONNECTIONS; i++)
            CHECK(send(pairs[i][1], message, size, 0) == (ssize_t)size);
        if (batch >= WARM_UP)
            calls_mark();
        echo(ec);
        if (batch >= WARM_UP)
            calls_mark();
        for (int i = 0; i < CONNECTIONS; i++) {
            CHECK(recv(pairs[i][1], back, size, MSG_WAITALL) == (ssize_t)size);
            CHECK_PATTERN(back, size, 0);
        }
    }
}

int main(void)
{
    static const size_t sizes[] = { 64, 1024 };
    const char *engine = getenv("SIO_ENGINE");
    int by_ring = engine && strcmp(engine, "io_uring") == 0;

    check_start();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int shared = 0; shared < 2; shared++) {
            long calls = calls_of(serve, sizes[i], shared ? 0 : EC_SINGLE);
            long most = by_ring ? MESSAGES / 8 : 3 * MESSAGES + 4 * BATCHES;
            if (calls > most)
                check_fail(__FILE__, __LINE__, "%ld calls for %d messages of %zu bytes (%s)", calls,
                           MESSAGES, sizes[i], shared ? "shared" : "EC_SINGLE");
        }
    return 0;
}
