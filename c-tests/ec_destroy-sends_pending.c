/*
 * ec_destroy cancels the sends that wait for room: afterwards no engine touches the memory, the
 * blocks are free again, and what the peer has got is a beginning of what was sent.
 */
#include "check.h"

#define PIECE 65536

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 20, ATTACHED);
    unsigned char *block = block_new(end.area, PIECE);
    size_t accepted = 0;
    pattern_fill(block, PIECE, 0);
    for (int i = 0; i < 200; i++) {
        int n = sio_send(pair[0], block, PIECE, 0);
        if (n == -1) {
            CHECK(errno == EAGAIN);
            break;
        }
        CHECK(n == PIECE);
        accepted += PIECE;
    }
    CHECK_OK(ec_flush(end.ec));
    CHECK_OK(ec_destroy(end.ec));
    memset(block, 0xff, PIECE);
    CHECK_OK(sio_release(end.area, block, PIECE));
    CHECK_OK(sio_detach(pair[0]));
    CHECK_OK(dma_free(end.area, end.size));
    CHECK(close(pair[0]) == 0);

    /* A connection that was cut in the middle of a send may end with a reset. */
    unsigned char byte[PIECE];
    size_t read = 0;
    ssize_t n;
    while ((n = recv(pair[1], byte, PIECE - read % PIECE, 0)) > 0) {
        CHECK_PATTERN(byte, (size_t)n, read % PIECE);
        read += (size_t)n;
    }
    CHECK(n == 0 || errno == ECONNRESET);
    CHECK(read <= accepted);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
