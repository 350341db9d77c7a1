/* Every supported kind of socket can have an area, several sockets the same one. */
#include "check.h"

static dma_mem_t area;
static int socks[PAIR_KINDS], count;

static void run(enum pair_kind kind)
{
    socks[count] = socket_new(kind);
    CHECK_OK(dma_assoc(socks[count], area, 4096, 0));
    CHECK_ERR(dma_assoc(socks[count], area, 4096, 0), EBUSY);
    count++;
}

int main(void)
{
    check_start();
    area = area_new(1 << 18);
    each_pair(ALL_PAIRS, run);
    while (count-- > 0) {
        CHECK_ERR(dma_free(area, 1 << 18), EBUSY);
        CHECK_OK(dma_disassoc(socks[count], area, 4096));
        CHECK(close(socks[count]) == 0);
    }
    CHECK_OK(dma_free(area, 1 << 18));
    return 0;
}
