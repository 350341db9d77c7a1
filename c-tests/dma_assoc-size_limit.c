/*
 * `size` bounds what received data may occupy: a program that keeps every block gets no more than
 * that, the rest of the area is left for sio_reserve, and what waits comes when blocks come back.
 */
#include "check.h"

#define SHARE 65536
#define TOTAL (4 * SHARE)

static size_t fetch(struct endpoint *end, size_t at, void **kept, int *sizes, int *count)
{
    size_t got = 0;
    for (;;) {
        int n = sio_recv(end->sock, &kept[*count], 4096, MSG_DONTWAIT);
        if (n == -1) {
            CHECK(errno == EAGAIN);
            return got;
        }
        CHECK(n > 0);
        CHECK_PATTERN(kept[*count], (size_t)n, at + got);
        sizes[(*count)++] = n;
        got += (size_t)n;
        CHECK(*count < TOTAL);
    }
}

static void run(enum pair_kind kind, enum attach attach)
{
    static void *kept[TOTAL];
    static int sizes[TOTAL];
    int pair[2], count = 0;
    pair_open(kind, pair);
    struct endpoint end = { pair[0], area_new(1 << 20), 1 << 20, -1, -1 };
    CHECK_OK(dma_assoc(pair[0], end.area, SHARE, 0));
    if (attach == ATTACHED) {
        end.ec = channel_new(0);
        CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], 0, 1));
    }

    pid_t writer = child_start();
    if (writer == 0) {
        write_pattern(pair[1], TOTAL, 0);
        _exit(0);
    }
    size_t got = 0;
    /* Keep everything: it has to stop at the share, long before all has come. */
    for (int idle = 0; idle < 20; idle++) {
        size_t more = fetch(&end, got, kept, sizes, &count);
        got += more;
        CHECK(got <= SHARE);
        if (more > 0 || got == 0)
            idle = 0; /* the writer may take its time to begin */
        /* A channel gives its engine time whenever it is asked for events. */
        if (attach == ATTACHED)
            CHECK(ec_delay(end.ec, &(struct timespec){ 0, 0 }) == 0 || errno == ETIMEDOUT);
        sleep_ms(2);
    }
    void *other = block_new(end.area, 1 << 19);
    memset(other, 0xff, 1 << 19);
    for (int i = 0, at = 0; i < count; at += sizes[i++])
        CHECK_PATTERN(kept[i], (size_t)sizes[i], (size_t)at);

    for (int i = 0; i < count; i++)
        CHECK_OK(sio_release(end.area, kept[i], (size_t)sizes[i]));
    endpoint_read_pattern(&end, TOTAL - got, got);
    child_end(writer);
    CHECK_OK(sio_release(end.area, other, 1 << 19));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(STREAM_PAIRS, run);
    return 0;
}
