/* Many sockets of one channel and of several are registered: each callback runs for its own socket
 * alone, and no descriptor is used up for each. */
#include "check.h"

#define SOCKETS 100
#define CHANNELS 3

static _Atomic int runs[SOCKETS];
static int pairs[SOCKETS][2];

static void complete(int fd, void *context)
{
    int number = (int)(intptr_t)context;
    CHECK(fd == pairs[number][0]);
    atomic_fetch_add(&runs[number], 1);
}

int main(void)
{
    check_start();
    ec_t channels[CHANNELS];
    size_t size = 4 << 20;
    dma_mem_t area = area_new(size);
    for (int i = 0; i < CHANNELS; i++)
        channels[i] = channel_new(0);
    for (int i = 0; i < SOCKETS; i++) {
        pair_open(i % 2 ? TCP4 : UNIX_STREAM, pairs[i]);
        CHECK_OK(dma_assoc(pairs[i][0], area, 0, 0));
        CHECK(ec_add_socket(channels[i % CHANNELS], pairs[i][0], 0, 0) >= 0);
    }
    CHECK_OK(async_io_notify(pairs[0][0], complete, (void *)0));
    int before = count_descriptors();
    for (int i = 1; i < SOCKETS; i++)
        CHECK_OK(async_io_notify(pairs[i][0], complete, (void *)(intptr_t)i));
    CHECK(count_descriptors() <= before + CHANNELS);
    for (int i = SOCKETS - 1; i >= 0; i--) {
        write_pattern(pairs[i][1], 100, 0);
        while (atomic_load(&runs[i]) == 0)
            CHECK_OK(async_io_pause());
        for (int k = 0; k < SOCKETS; k++)
            CHECK(atomic_load(&runs[k]) == (k >= i));
    }
    for (int i = 0; i < SOCKETS; i++) {
        CHECK_OK(sio_detach(pairs[i][0]));
        CHECK(close(pairs[i][0]) == 0 && close(pairs[i][1]) == 0);
    }
    for (int i = 0; i < CHANNELS; i++)
        CHECK_OK(ec_destroy(channels[i]));
    CHECK_OK(dma_free(area, size));
    return 0;
}
