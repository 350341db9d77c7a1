/* A send that would have to be copied does not wait for a frame where the program itself has all of
 * them: the kernel's socket sends it. */
#include "network.h"

enum { AREA = 1 << 18, FRAMES = AREA / 4096, BYTES = 600 };

int main(void)
{
    check_start();
    network_new();
    int wire, peer, frames = 0;
    void *blocks[FRAMES];
    dma_mem_t area = area_of_frames(AREA);
    CHECK_SET(wire, sio_open_ethernet("va", FRAME_TYPE));
    CHECK_SET(peer, sio_open_ethernet("vb", FRAME_TYPE));
    CHECK_OK(dma_assoc(wire, area, 0, DMA_ENGINE_AF_XDP));
    check_engine(wire, "af_xdp");
    /* Some the interface has, to receive into. */
    while (frames < FRAMES && sio_reserve(area, &blocks[frames], 2000) == 0)
        frames++;
    CHECK(frames > 0 && frames < FRAMES && errno == ENOBUFS);

    struct frame sent, got;
    size_t length = frame_fill(&sent, FRAME_TYPE, BYTES, 1);
    /* Not where the block begins: headers or a copy need room elsewhere. */
    char *from = (char *)blocks[0] + 100;
    memcpy(from, &sent, length);
    for (int i = 0; i < 3; i++) {
        CHECK_IS(sio_send(wire, from, length, 0), (long long)length);
        CHECK(plain_receive(peer, &got) == length && memcmp(&got, &sent, length) == 0);
    }
    while (frames > 0)
        CHECK_OK(sio_release(area, blocks[--frames], 2000));
    CHECK_OK(sio_detach(wire));
    CHECK(close(wire) == 0 && close(peer) == 0);
    CHECK_OK(dma_free(area, AREA));
    return 0;
}
