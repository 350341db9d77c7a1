/*
 * A non-blocking socket in no channel accepts a send as a whole or refuses it with EAGAIN, and
 * never blocks: what the kernel did not take at once arrives all the same, in order.
 */
#include "check.h"

#define PIECE (300 * 1000)

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 20, ALONE);
    unsigned char *block = block_new(end.area, PIECE), *got = malloc(PIECE);
    size_t accepted = 0, total = 0;
    CHECK(got != NULL);
    set_nonblocking(pair[0], 1);
    for (;;) {
        pattern_fill(block, PIECE, accepted);
        errno = 0;
        int sent = sio_send(pair[0], block, PIECE, 0);
        if (sent == -1)
            break;
        CHECK(sent == PIECE);
        /* Accepted is handed over: the block may be written again at once. */
        memset(block, 0, PIECE);
        accepted++;
        CHECK(accepted < 1000);
    }
    CHECK(errno == EAGAIN);
    CHECK(accepted > 0);
    for (size_t i = 0; i < accepted; i++) {
        for (size_t have = 0; have < PIECE;) {
            ssize_t n = recv(pair[1], got + have, PIECE - have, 0);
            CHECK(n > 0);
            have += (size_t)n;
            total += (size_t)n;
        }
        CHECK_PATTERN(got, PIECE, i);
    }
    check_silent(pair[1], 20);
    CHECK(total == accepted * PIECE);
    free(got);
    CHECK_OK(sio_release(end.area, block, PIECE));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(1u << TCP4 | 1u << TCP6 | 1u << UNIX_STREAM, run);
    return 0;
}
