/*
 * A socket that was closed without sio_detach and whose number something else has: sio_recv says that
 * this is not associated, also where it has no room to receive into.
 */
#include "check.h"

#define AREA 65536

static void run(enum pair_kind kind)
{
    int pair[2], other[2];
    void *all, *data;
    pair_open(kind, pair);
    pair_open(kind, other);
    struct endpoint end = endpoint_open(pair[0], AREA, ATTACHED);
    CHECK_OK(sio_reserve(end.area, &all, AREA));
    write_message(other[1], 100, 1);
    CHECK(dup2(other[0], pair[0]) == pair[0]);
    CHECK_ERR(sio_recv(pair[0], &data, 100, MSG_DONTWAIT), EINVAL);
    /* What came for the other one is still there. */
    read_message(other[0], 100, 1);
    CHECK_OK(sio_release(end.area, all, AREA));
    CHECK(sio_detach(pair[0]) == -1 && errno == EINVAL);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    CHECK(close(other[0]) == 0 && close(other[1]) == 0);
    CHECK_OK(ec_destroy(end.ec));
    CHECK_OK(dma_free(end.area, AREA));
}

int main(void)
{
    check_start();
    each_pair(1u << UNIX_DGRAM | 1u << UNIX_SEQPACKET, run);
    return 0;
}
