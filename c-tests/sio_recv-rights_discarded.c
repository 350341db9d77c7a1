/* Descriptors that a peer passes to a program that calls sio_recv are closed, not collected. */
#include "rights.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2], ends[2];
    pair_open(kind, pair);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    int before = count_descriptors();
    for (size_t i = 0; i < 20; i++) {
        pass_descriptor(pair[1], ends[1], i);
        void *piece;
        CHECK_IS(sio_recv(pair[0], &piece, 10, 0), 10);
        CHECK_PATTERN(piece, 10, i);
        CHECK_OK(sio_release(end.area, piece, 10));
    }
    CHECK(count_descriptors() == before);
    endpoint_close(&end);
    /* Nobody has the writing end any more. */
    char byte;
    CHECK(close(ends[1]) == 0 && read(ends[0], &byte, 1) == 0);
    CHECK(close(ends[0]) == 0 && close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(1u << UNIX_STREAM | 1u << UNIX_SEQPACKET | 1u << UNIX_DGRAM, run);
    return 0;
}
