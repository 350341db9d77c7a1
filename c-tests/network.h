/* A network of the test's own: a namespace with two interfaces that are connected, `va` and `vb`. It
 * goes with the process. */
#ifndef NETWORK_H
#define NETWORK_H

#include "check.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>

static inline void network_new(void)
{
    if (unshare(CLONE_NEWNET) == -1)
        check_skip("no network namespace: %s", strerror(errno));
    if (system("ip link add name va type veth peer name vb && ip link set va up && ip link set vb up") != 0)
        check_skip("no pair of interfaces");
    /* IPv6 would greet its neighbours. */
    (void)!system("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null");
}

enum { FRAME_TYPE = 0x88b5, OTHER_TYPE = 0x88b6 };   /* for experiments: IEEE 802 */

struct frame {
    struct ether_header header;
    unsigned char data[1500];
};

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
