/* A stream is fetched in pieces of the size that is asked for; each piece is a block of its own. */
#include "check.h"

#define TOTAL 20000

static void run(enum pair_kind kind, enum attach attach)
{
    static void *piece[TOTAL];
    static int size[TOTAL];
    int pair[2], count = 0;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 20, attach);
    write_pattern(pair[1], TOTAL, 0);
    size_t at = 0;
    while (at < TOTAL) {
        static const size_t ask[] = { 1, 999, 64, 3000, 7 };
        size_t want = ask[count % 5];
        CHECK_SET(size[count], sio_recv(pair[0], &piece[count], want, 0));
        CHECK(size[count] > 0 && (size_t)size[count] <= want);
        CHECK_PATTERN(piece[count], (size_t)size[count], at);
        at += (size_t)size[count++];
    }
    CHECK(at == TOTAL);
    /* All are the program's still; they come back in another order. */
    at = 0;
    for (int i = 0; i < count; i++) {
        CHECK_PATTERN(piece[i], (size_t)size[i], at);
        at += (size_t)size[i];
    }
    for (int i = 0; i < count; i += 2)
        CHECK_OK(sio_release(end.area, piece[i], (size_t)size[i]));
    for (int i = count - 1; i >= 0; i--)
        if (i % 2 == 1)
            CHECK_OK(sio_release(end.area, piece[i], (size_t)size[i]));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(STREAM_PAIRS, run);
    return 0;
}
