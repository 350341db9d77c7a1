/* A handle that was freed stays invalid, also when another area has taken its place. */
#include "check.h"

#define AREAS 200

int main(void)
{
    check_start();
    static dma_mem_t stale[AREAS];
    int pair[2];
    pair_open(UNIX_STREAM, pair);
    for (int i = 0; i < AREAS; i++) {
        void *base;
        size_t size;
        dma_mem_t area = area_new(4096);
        for (int j = 0; j < i; j++)
            CHECK(stale[j] != area);
        for (int j = i < 3 ? 0 : i - 3; j < i; j++) {
            CHECK_ERR(dma_base(stale[j], &base, &size), EINVAL);
            CHECK_ERR(sio_reserve(stale[j], &base, 1), EINVAL);
            CHECK_ERR(dma_assoc(pair[0], stale[j], 0, 0), EINVAL);
            CHECK_ERR(dma_free(stale[j], 4096), EINVAL);
        }
        CHECK_OK(dma_free(area, 4096));
        stale[i] = area;
    }
    return 0;
}
