/*
 * A non-blocking socket in no channel: sends are accepted whole until EAGAIN, and exactly what was
 * accepted arrives.
 */
#include "check.h"

#define PIECE 1000

static void run(enum pair_kind kind)
{
    for (int dontwait = 0; dontwait <= 1; dontwait++) {
        int pair[2];
        pair_open(kind, pair);
        struct endpoint end = endpoint_open(pair[0], 1 << 18, ALONE);
        unsigned char *block = block_new(end.area, PIECE);
        size_t sent = 0;
        set_nonblocking(pair[0], !dontwait);
        for (;;) {
            CHECK(sent < (size_t)1 << 28);
            pattern_fill(block, PIECE, sent);
            errno = ERRNO_KEPT;
            int n = sio_send(pair[0], block, PIECE, dontwait ? MSG_DONTWAIT : 0);
            if (n == -1)
                break;
            CHECK(n == PIECE && errno == ERRNO_KEPT);
            sent += PIECE;
        }
        CHECK(errno == EAGAIN);
        CHECK(sent > 0);
        CHECK(shutdown(pair[0], SHUT_WR) == 0);
        if (pair_is_stream(kind))
            read_pattern(pair[1], sent, 0);
        else
            for (size_t at = 0; at < sent; at += PIECE)
                read_message(pair[1], PIECE, at);
        char byte;
        CHECK(recv(pair[1], &byte, 1, 0) == 0);
        CHECK_OK(sio_release(end.area, block, PIECE));
        endpoint_close(&end);
        CHECK(close(pair[1]) == 0);
    }
}

int main(void)
{
    check_start();
    /* Unix sockets take a small piece whole or not at all, so the kernel leaves no doubt. */
    each_pair(1u << UNIX_STREAM | 1u << UNIX_SEQPACKET, run);
    return 0;
}
