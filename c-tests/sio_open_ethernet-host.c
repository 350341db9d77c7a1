/* Frames that the host lives on are taken from it only by a flag, and are its own again when the
 * process that has them is killed. */
#include "network.h"

enum { AREA = 1 << 20 };

/* Whether the kernel sees a frame that is sent now. */
static int is_seen(int peer, int tap)
{
    struct frame frame, back;
    size_t length = frame_fill(&frame, ETHERTYPE_IP, 60, 1);
    while (recv(tap, &back, sizeof back, MSG_DONTWAIT) > 0)
        continue;
    CHECK(send(peer, &frame, length, 0) == (ssize_t)length);
    return poll(&(struct pollfd){ tap, POLLIN, 0 }, 1, 100) == 1;
}

static void take_and_wait(int ready)
{
    dma_mem_t area = area_of_frames(AREA);
    int wire;
    CHECK_SET(wire, sio_open_ethernet("va", 0));
    CHECK_OK(dma_assoc(wire, area, 0, DMA_ENGINE_AF_XDP));
    check_engine(wire, "af_xdp");
    for (char byte = 1; write(ready, &byte, 1) == 1;) {
        void *got;
        int count;
        CHECK_SET(count, sio_recv(wire, &got, 4096, 0));
        CHECK_OK(sio_release(area, got, (size_t)count));
    }
}

int main(void)
{
    check_start();
    setenv("SIO_ENGINE", "af_xdp,epoll", 1);
    dma_mem_t area = area_of_frames(AREA);
    network_new();
    int wire, peer, tap;
    CHECK_SET(peer, sio_open_ethernet("vb", ETHERTYPE_IP));
    CHECK_SET(tap, sio_open_ethernet("va", ETHERTYPE_IP));
    CHECK(is_seen(peer, tap));

    /* The list of engines alone does not cut the host off. */
    dma_mem_t plain = area_new(AREA);
    static const unsigned types[] = { 0, ETHERTYPE_IP, ETHERTYPE_IPV6, ETHERTYPE_ARP, ETHERTYPE_VLAN };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        CHECK_SET(wire, sio_open_ethernet("va", types[i]));
        CHECK_OK(dma_assoc(wire, plain, 0, 0));
        struct sio_info info;
        CHECK_OK(sio_info(wire, &info, sizeof info));
        CHECK(strcmp(info.si_engine, "packet_mmap") == 0 && strstr(info.si_reason, "DMA_ENGINE_AF_XDP"));
        CHECK_OK(sio_detach(wire));
        CHECK(close(wire) == 0);
    }

    /* The flag does. One socket has all frames, and no other on that interface. */
    CHECK_SET(wire, sio_open_ethernet("va", 0));
    CHECK_OK(dma_assoc(wire, area, 0, DMA_ENGINE_AF_XDP));
    check_engine(wire, "af_xdp");
    CHECK(!is_seen(peer, tap));
    void *got;
    CHECK_IS(sio_recv(wire, &got, 4096, MSG_DONTWAIT), (int)sizeof(struct ether_header) + 60);
    CHECK_OK(sio_release(area, got, sizeof(struct ether_header) + 60));
    int second;
    CHECK_SET(second, sio_open_ethernet("va", FRAME_TYPE));
    CHECK_ERR(dma_assoc(second, area, 0, DMA_ENGINE_AF_XDP), EADDRINUSE);
    CHECK_OK(sio_detach(wire));
    CHECK(is_seen(peer, tap));
    CHECK_OK(dma_free(area, AREA));

    int ready[2];
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        take_and_wait(ready[1]);
        _exit(1);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    CHECK(!is_seen(peer, tap));
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    CHECK(is_seen(peer, tap));
    CHECK_OK(dma_free(plain, AREA));
    return 0;
}
