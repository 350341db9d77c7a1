/* Datagrams that wait together are received with few system calls, with their senders' addresses or
 * without: with a ring a few for all of them, by readiness one for each. A parent counts the calls of
 * a child. */
#include "calls.h"

enum { BATCH = 48, BATCHES = 20, WARM_UP = 4, BYTES = 64 };

static void serve(size_t with_names, unsigned flags)
{
    char message[BYTES] = "";
    struct sockaddr_in from;
    event_data_t event;
    int pair[2], size;
    dma_mem_t area;
    void *block;
    ec_t ec;

    CHECK_SET(ec, ec_create(flags));
    CHECK_OK(dma_alloc(&area, 16 << 20, 0));
    pair_open(UDP4, pair);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    CHECK(ec_add_socket(ec, pair[0], 0, 0) >= 0);
    for (int batch = 0; batch < WARM_UP + BATCHES; batch++) {
        for (int i = 0; i < BATCH; i++)
            CHECK_IS(send(pair[1], message, BYTES, 0), BYTES);
        if (batch >= WARM_UP)
            calls_mark();
        for (int done = 0; done < BATCH;) {
            CHECK_IS(ec_wait_events(ec, &event, 1, NULL, NULL), 1);
            CHECK(event.ev_type == EC_EV_RECV && event.ev_errno == 0);
            for (; done < BATCH; done++) {
                if (with_names)
                    size = sio_recvfrom(pair[0], (const void **)&block, BYTES, MSG_DONTWAIT,
                                        (struct sockaddr *)&from, sizeof from);
                else
                    size = sio_recv(pair[0], &block, BYTES, MSG_DONTWAIT);
                if (size < 0)
                    break;
                CHECK(size == BYTES && (!with_names || from.sin_family == AF_INET));
                CHECK_OK(sio_release(area, block, BYTES));
            }
        }
        if (batch >= WARM_UP)
            calls_mark();
    }
}

int main(void)
{
    const char *engine = getenv("SIO_ENGINE");
    int by_ring = engine && strcmp(engine, "io_uring") == 0;

    check_start();
    for (size_t with_names = 0; with_names < 2; with_names++)
        for (int shared = 0; shared < 2; shared++) {
            long calls = calls_of(serve, with_names, shared ? 0 : EC_SINGLE);
            long most = by_ring ? 4 * BATCHES : (BATCH + 8) * BATCHES;
            if (calls > most)
                check_fail(__FILE__, __LINE__, "%ld calls for %d datagrams%s (%s)", calls,
                           BATCH * BATCHES, with_names ? " with names" : "",
                           shared ? "shared" : "EC_SINGLE");
        }
    return 0;
}
