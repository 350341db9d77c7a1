/* A network of the test's own: a namespace with two interfaces that are connected, `va` and `vb`. It
 * goes with the process. */
#ifndef NETWORK_H
#define NETWORK_H

#include "check.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>

/* Nothing where the kernel has no such thing, or /proc shows another namespace. */
static inline void network_set(const char *path, const char *value)
{
    FILE *file = fopen(path, "we");
    if (file) {
        fputs(value, file);
        fclose(file);
    }
}

static inline void network_new(void)
{
    if (unshare(CLONE_NEWNET) == -1)
        check_skip("no network namespace: %s", strerror(errno));
    /* IPv6 would greet its neighbours. */
    network_set("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
    network_set("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    if (system("ip link add name va type veth peer name vb && ip link set va up && ip link set vb up") != 0)
        check_skip("no pair of interfaces");
}

enum { FRAME_TYPE = 0x88b5, OTHER_TYPE = 0x88b6 };   /* for experiments: IEEE 802 */

struct frame {
    struct ether_header header;
    unsigned char data[1500];
};

/* An area for frames from the wire, where there can be one. */
static inline dma_mem_t area_of_frames(size_t size)
{
    dma_mem_t area = 0;
    if (dma_alloc(&area, size, DMA_ENGINE_AF_XDP) == -1)
        check_skip("no AF_XDP: %s", strerror(errno));
    return area;
}

static inline void check_engine(int sock, const char *name)
{
    struct sio_info info;
    CHECK_OK(sio_info(sock, &info, sizeof info));
    if (strcmp(info.si_engine, name) != 0)
        check_fail(__FILE__, __LINE__, "%s and not %s: %s", info.si_engine, name, info.si_reason);
}

/* Waits for a frame with a socket of the kernel's: its length. */
static inline size_t plain_receive(int sock, struct frame *frame)
{
    CHECK(poll(&(struct pollfd){ sock, POLLIN, 0 }, 1, 5000) == 1);
    ssize_t count = recv(sock, frame, sizeof *frame, MSG_DONTWAIT);
    CHECK(count >= (ssize_t)sizeof frame->header);
    return (size_t)count;
}

/* A frame to everybody. */
static inline size_t frame_fill(struct frame *frame, uint16_t type, size_t bytes, size_t at)
{
    memset(frame->header.ether_dhost, 0xff, ETH_ALEN);
    memset(frame->header.ether_shost, 2, ETH_ALEN);
    frame->header.ether_type = htons(type);
    pattern_fill(frame->data, bytes, at);
    return sizeof frame->header + bytes;
}

#endif
