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
 *
 * A flow may have a gate in front of it (sys/gate.rs). Then the first packet of a burst goes on to the
 * kernel, whose socket becomes readable by it, and those that follow go to the AF_XDP socket, until the
 * library has taken them all and arms the gate anew. The count of a gate tells the library how many it
 * has to expect, so that it arms only when none is on its way.
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
static u64 (*const now_nanoseconds)(void) = (void *)5;
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
/* Gates by number; a flow of number 0 has none. */
extern const char GATES;

/* What a gate does with a packet: bits 0 and 1 of its word. Above them are counted those that it has
 * redirected. */
enum { ARMED = 0, REDIRECTS = 1, PASSES = 2, MODE = 3, ONE_MORE = 4 };
/* When others change the word again and again, the packet goes to the kernel. */
enum { TRIES_MAX = 4 };

struct gate {
	u64 word;
	/* How many packets have found it armed, and when the last one came. */
	u64 tokens;
	u64 time;
	/* By what that one is known again. */
	u64 source[2];
	u64 port_and_length;
	u64 start;
	u64 reserved;
};

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

/* The number of the flow's gate; null if nobody has claimed it. */
INLINE const u32 *claimed4(const struct ipv4 *ip, const struct udp *udp, u32 kinds)
{
	const u32 *found;
	struct flow4 flow = { ip->destination, ip->source, udp->destination, udp->source };
	u32 address[4] = { ip->destination, 0, 0, 0 };

	if ((kinds & CONNECTED) && (found = lookup(&FLOWS4, &flow)))
		return found;
	if (kinds & CONNECTED_TO_ANY) {
		flow.local = 0;
		found = lookup(&FLOWS4, &flow);
		if (found && is_local(address))
			return found;
		flow.local = ip->destination;
	}
	flow.remote = 0;
	flow.remote_port = 0;
	if ((kinds & BOUND) && (found = lookup(&FLOWS4, &flow)))
		return found;
	if (kinds & BOUND_TO_ANY) {
		flow.local = 0;
		found = lookup(&FLOWS4, &flow);
		return found && is_local(address) ? found : 0;
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

INLINE const u32 *claimed6(const struct ipv6 *ip, const struct udp *udp, u32 kinds)
{
	const u32 *found;
	struct flow6 flow;
	u32 address[4];

	copy(address, ip->destination);
	copy(flow.local, address);
	copy(flow.remote, ip->source);
	flow.local_port = udp->destination;
	flow.remote_port = udp->source;
	if ((kinds & CONNECTED) && (found = lookup(&FLOWS6, &flow)))
		return found;
	if (kinds & CONNECTED_TO_ANY) {
		clear(flow.local);
		found = lookup(&FLOWS6, &flow);
		if (found && is_local(address))
			return found;
		copy(flow.local, address);
	}
	clear(flow.remote);
	flow.remote_port = 0;
	if ((kinds & BOUND) && (found = lookup(&FLOWS6, &flow)))
		return found;
	if (kinds & BOUND_TO_ANY) {
		clear(flow.local);
		found = lookup(&FLOWS6, &flow);
		return found && is_local(address) ? found : 0;
	}
	return 0;
}

INLINE u64 compare_and_swap(u64 *word, u64 old, u64 changed)
{
	return __sync_val_compare_and_swap(word, old, changed);
}

/* Whether a packet of a flow goes to the AF_XDP socket. */
INLINE int is_redirected(u32 number, const struct udp *udp, const u8 *end, u64 high, u64 low)
{
	const u8 *payload = (const u8 *)(udp + 1);
	struct gate *gate;
	int tries;

	if (number == 0)
		return 1;
	gate = lookup(&GATES, &number);
	if (!gate)
		return 0;
#pragma unroll
	for (tries = 0; tries < TRIES_MAX; tries++) {
		u64 word = *(volatile u64 *)&gate->word;

		if ((word & MODE) == PASSES)
			return 0;
		if ((word & MODE) == REDIRECTS) {
			if (compare_and_swap(&gate->word, word, word + ONE_MORE) == word)
				return 1;
		} else if (compare_and_swap(&gate->word, word, word | REDIRECTS) == word) {
			gate->time = now_nanoseconds();
			gate->source[0] = high;
			gate->source[1] = low;
			gate->port_and_length = udp->source | (u64)udp->length << 16;
			gate->start = payload + 8 <= end ? *(const u64 *)payload : 0;
			/* With the barrier that the library's look needs. */
			__sync_fetch_and_add(&gate->tokens, 1);
			return 0;
		}
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
	const u32 *number;
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
		number = claimed4(ip, udp, *kinds);
		return number && is_redirected(*number, udp, end, 0, ip->source);
	}
	if (type == BIG_ENDIAN_16(TYPE_IPV6)) {
		const struct ipv6 *ip = (const void *)at;
		const struct udp *udp = (const void *)(at + sizeof(*ip));

		if ((const u8 *)(udp + 1) > end || (*(const u8 *)ip >> 4) != 6)
			return 0;
		if (ip->next_header != PROTOCOL_UDP)
			return 0;
		number = claimed6(ip, udp, *kinds >> IPV6_SHIFT);
		return number && is_redirected(*number, udp, end,
			ip->source[0] | (u64)ip->source[1] << 32,
			ip->source[2] | (u64)ip->source[3] << 32);
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
