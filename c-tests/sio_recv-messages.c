/* Datagram and seqpacket sockets: one message per call, whole, never two. */
#include "check.h"

#define MESSAGES 100

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 20, attach);
    for (size_t i = 0; i < MESSAGES; i += 5) {
        for (size_t j = i; j < i + 5; j++)
            write_message(pair[1], 1 + j * 37 % 1400, j);
        for (size_t j = i; j < i + 5; j++) {
            size_t size = 1 + j * 37 % 1400;
            void *piece;
            CHECK_IS(sio_recv(pair[0], &piece, 2000, 0), (int)size);
            CHECK_PATTERN(piece, size, j);
            CHECK_OK(sio_release(end.area, piece, size));
        }
    }
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(MESSAGE_PAIRS, run);
    return 0;
}
