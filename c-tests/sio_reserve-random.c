/* 20000 random reservations and releases: nobody's memory is given to somebody else. */
#include "check.h"

#define SLOTS 200

int main(void)
{
    check_start();
    const size_t area_size = 1 << 18;
    dma_mem_t area = area_new(area_size);
    static unsigned char *block[SLOTS];
    static size_t size[SLOTS];
    unsigned long long random = 88172645463325252ull;
    for (int i = 0; i < 20000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t slot = random % SLOTS;
        if (block[slot] != NULL) {
            CHECK_PATTERN(block[slot], size[slot], slot);
            CHECK_OK(sio_release(area, block[slot], size[slot]));
            block[slot] = NULL;
            continue;
        }
        size[slot] = 1 + (random >> 20) % (random & 1024 ? 100 : 10000);
        errno = 0;
        if (sio_reserve(area, (void **)&block[slot], size[slot]) == -1) {
            CHECK(errno == ENOBUFS);
            block[slot] = NULL;
            continue;
        }
        pattern_fill(block[slot], size[slot], slot);
    }
    for (size_t slot = 0; slot < SLOTS; slot++)
        if (block[slot] != NULL)
            CHECK_OK(sio_release(area, block[slot], size[slot]));
    void *whole = block_new(area, area_size);
    CHECK_OK(sio_release(area, whole, area_size));
    CHECK_OK(dma_free(area, area_size));
    return 0;
}
