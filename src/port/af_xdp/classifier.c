/*
 * Which packets go to the AF_XDP sockets: unicast UDP of flows that were claimed. All others go
 * the way they always went, to the kernel: fragments, IP options, extension headers, multicast, and
 * whatever is not understood. Nothing is dropped and nothing is changed here.
 *
 * What the library loads are the instructions in instructions.rs, which are made from this file:
 *
 *     SIO_UPDATE_CLASSIFIER=1 cargo test --test classifier
 *
 * No header is needed, so any clang will do; the test compares only what the same version makes.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define BIG_ENDIAN_16(value) __builtin_bswap16(value)

/* linux/bpf.h */
enum { XDP_PASS = 2 };

struct xdp_md {
	u32 data;
	u32 data_end;
	u32 data_meta;
	u32 ingress_ifindex;
	u32 rx_queue_index;
};

static void *(*const lookup)(const void *map, const void *key) = (void *)1;
static long (*const redirect)(const void *map, u32 index, u64 otherwise) = (void *)51;

/* A flow's two ends, in network order; what is 0 stands for anything. */
struct flow4 {
	u32 local;
	u32 remote;
	u16 local_port;
	u16 remote_port;
};

struct flow6 {
	u32 local[4];
	u32 remote[4];
	u16 local_port;
	u16 remote_port;
};

/* What there is to look for: bits of SETTINGS[0]. Bits of IPv6 stand 4 higher. */
enum { CONNECTED = 1, CONNECTED_TO_ANY = 2, BOUND = 4, BOUND_TO_ANY = 8, IPV6_SHIFT = 4 };
/* Whole frames of one type, or of each: bits 16 and 17, and the type in SETTINGS[1]. */
enum { FRAMES_OF_TYPE = 1 << 16, ALL_FRAMES = 1 << 17 };

/* Tables, which the library makes: classifier.rs tells what they are. */
extern const char FLOWS4, FLOWS6;
/* An AF_XDP socket for each queue. */
extern const char SOCKETS;
/* The host's own unicast addresses; IPv4 ones in the first word. */
extern const char ADDRESSES;
/* 1 for each VLAN in which the host is. */
extern const char VLANS;
extern const char SETTINGS;

struct ethernet {
	u8 destination[6];
	u8 source[6];
	u16 type;
} __attribute__((packed));

struct vlan {
	u16 tag;
	u16 type;
};

struct ipv4 {
	u8 version_and_length;
	u8 service;
	u16 length;
	u16 identity;
	u16 fragment;
	u8 hops;
	u8 protocol;
	u16 checksum;
	u32 source;
	u32 destination;
};

struct ipv6 {
	u32 version_and_label;
	u16 length;
	u8 next_header;
	u8 hops;
	u32 source[4];
	u32 destination[4];
};

struct udp {
	u16 source;
	u16 destination;
	u16 length;
	u16 checksum;
};

enum { TYPE_VLAN = 0x8100, TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, PROTOCOL_UDP = 17 };
enum { IPV4_NO_OPTIONS = 0x45, IPV4_FRAGMENT = 0x3fff, VLAN_ID = 0x0fff };

INLINE int is_local(const u32 *address)
{
	return lookup(&ADDRESSES, address) != 0;
}

INLINE int claimed4(const struct ipv4 *ip, const struct udp *udp, u32 kinds)
{
	struct flow4 flow = { ip->destination, ip->source, udp->destination, udp->source };
	u32 address[4] = { ip->destination, 0, 0, 0 };

	if ((kinds & CONNECTED) && lookup(&FLOWS4, &flow))
		return 1;
	if (kinds & CONNECTED_TO_ANY) {
		flow.local = 0;
		if (lookup(&FLOWS4, &flow) && is_local(address))
			return 1;
		flow.local = ip->destination;
	}
	flow.remote = 0;
	flow.remote_port = 0;
	if ((kinds & BOUND) && lookup(&FLOWS4, &flow))
		return 1;
	if (kinds & BOUND_TO_ANY) {
		flow.local = 0;
		return lookup(&FLOWS4, &flow) && is_local(address);
	}
	return 0;
}

INLINE void copy(u32 *to, const u32 *from)
{
	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	to[3] = from[3];
}

INLINE void clear(u32 *address)
{
	address[0] = address[1] = address[2] = address[3] = 0;
}

INLINE int claimed6(const struct ipv6 *ip, const struct udp *udp, u32 kinds)
{
	struct flow6 flow;
	u32 address[4];

	copy(address, ip->destination);
	copy(flow.local, address);
	copy(flow.remote, ip->source);
	flow.local_port = udp->destination;
	flow.remote_port = udp->source;
	if ((kinds & CONNECTED) && lookup(&FLOWS6, &flow))
		return 1;
	if (kinds & CONNECTED_TO_ANY) {
		clear(flow.local);
		if (lookup(&FLOWS6, &flow) && is_local(address))
			return 1;
		copy(flow.local, address);
	}
	clear(flow.remote);
	flow.remote_port = 0;
	if ((kinds & BOUND) && lookup(&FLOWS6, &flow))
		return 1;
	if (kinds & BOUND_TO_ANY) {
		clear(flow.local);
		return lookup(&FLOWS6, &flow) && is_local(address);
	}
	return 0;
}

INLINE int is_claimed(const struct xdp_md *context)
{
	const u8 *at = (const u8 *)(u64)context->data;
	const u8 *end = (const u8 *)(u64)context->data_end;
	const struct ethernet *ethernet = (const void *)at;
	u32 first = 0, second = 1;
	const u32 *kinds = lookup(&SETTINGS, &first);
	const u32 *wanted = lookup(&SETTINGS, &second);
	u16 type;

	at += sizeof(*ethernet);
	if (!kinds || !wanted || at > end)
		return 0;
	type = ethernet->type;
	if (*kinds & ALL_FRAMES)
		return 1;
	if ((*kinds & FRAMES_OF_TYPE) && type == *wanted)
		return 1;
	if (ethernet->destination[0] & 1)
		return 0;
	if (type == BIG_ENDIAN_16(TYPE_VLAN)) {
		const struct vlan *vlan = (const void *)at;
		const u32 *member;
		u32 id;

		at += sizeof(*vlan);
		if (at > end)
			return 0;
		id = BIG_ENDIAN_16(vlan->tag) & VLAN_ID;
		member = lookup(&VLANS, &id);
		if (!member || !*member)
			return 0;
		type = vlan->type;
	}
	if (type == BIG_ENDIAN_16(TYPE_IPV4)) {
		const struct ipv4 *ip = (const void *)at;
		const struct udp *udp = (const void *)(at + sizeof(*ip));

		if ((const u8 *)(udp + 1) > end || ip->version_and_length != IPV4_NO_OPTIONS)
			return 0;
		if (ip->protocol != PROTOCOL_UDP || (ip->fragment & BIG_ENDIAN_16(IPV4_FRAGMENT)))
			return 0;
		return claimed4(ip, udp, *kinds);
	}
	if (type == BIG_ENDIAN_16(TYPE_IPV6)) {
		const struct ipv6 *ip = (const void *)at;
		const struct udp *udp = (const void *)(at + sizeof(*ip));

		if ((const u8 *)(udp + 1) > end || (*(const u8 *)ip >> 4) != 6)
			return 0;
		if (ip->next_header != PROTOCOL_UDP)
			return 0;
		return claimed6(ip, udp, *kinds >> IPV6_SHIFT);
	}
	return 0;
}

/* A queue that has no socket is the kernel's. */
SECTION("xdp") int classify(struct xdp_md *context)
{
	if (!is_claimed(context))
		return XDP_PASS;
	return redirect(&SOCKETS, context->rx_queue_index, XDP_PASS);
}
