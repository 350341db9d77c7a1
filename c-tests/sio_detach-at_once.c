/* Of threads that detach or disassociate the same socket at once one does, and the others are told EINVAL. */
#include "rivals.h"

static ec_t ec;
static dma_mem_t area;
static int sock, is_detached;

static void associate(int round)
{
    int source;
    CHECK_OK(dma_assoc(sock, area, 0, 0));
    if (round / 2 % 2)
        CHECK_SET(source, ec_add_socket(ec, sock, 0, 1));
    is_detached = round % 2;
}

static int undo(void)
{
    return is_detached ? sio_detach(sock) : dma_disassoc(sock, area, 0);
}

int main(void)
{
    check_start();
    int pair[2];
    area = area_new(1 << 16);
    ec = channel_new(0);
    pair_open(UNIX_STREAM, pair);
    sock = pair[0];
    thread_rivals(2000, associate, undo);
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, 1 << 16));
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    return 0;
}
