/*
 * TCP between two programs of one host without TCP: what one side sends is put where the other side
 * receives. Three programs of the kernel's, attached to the control groups of runs:
 *
 *   sio_option   hears from the preloaded object which sockets may take part, and refuses options
 *                that would not work on those that do;
 *   sio_state    sees both ends of a connection come, and enters them into a table (SOCKETS);
 *   sio_message  passes each message to the other end, or leaves it to TCP.
 *
 * Which of both is decided for each message, and order is kept: a receiver is given what was passed
 * before what came by TCP, so nothing is passed while something is on its way by TCP or unread
 * there. Nothing is passed either when the receiver's buffer is full: TCP makes the sender wait.
 *
 * So a receiver to which the last message was passed has nothing by TCP. Which they are stands in a
 * table that programs can look at (PASSED).
 *
 * What sio-run loads is bypass.o, which is made from this file:
 *
 *     SIO_UPDATE_BYPASS=1 cargo test --test bypass
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
/* Each word of a context is read by itself: the verifier takes no other way. */
#define WORD(place) ({ \
	u32 word = *(volatile u32 *)&(place); \
	asm volatile("" : "+r"(word)); \
	word; \
})

/* linux/bpf.h */
enum { MAP_HASH = 1, MAP_ARRAY = 2, MAP_SOCKHASH = 18, MAP_SK_STORAGE = 24 };
enum { ANY = 0, NO_EXIST = 1, STORAGE_CREATE = 1, INGRESS = 1 };
enum { NO_PREALLOC = 1, CLONE = 1 << 9, MAPPABLE = 1 << 10 };
enum { DROP = 0, PASS = 1 };
enum { OPERATION_TIMEOUT = 1, OPERATION_CONNECT = 3, OPERATION_ACTIVE = 4, OPERATION_PASSIVE = 5,
       OPERATION_STATE = 10 };
enum { TELL_STATE = 1 << 2, STATE_CLOSE = 7 };
enum { IPV4 = 2, STREAM = 1, TCP = 6 };
enum { LEVEL_SOCKET = 1, OPTION_ZEROCOPY = 60, OPTION_ULP = 31, NO_SUCH = -2, NOT_SUPPORTED = -95 };

struct bpf_sock {
	u32 bound_dev_if;
	u32 family;
	u32 type;
	u32 protocol;
};

struct bpf_sock_ops {
	u32 op;
	u32 args[4];
	u32 family;
	u32 remote_ip4;
	u32 local_ip4;
	u32 remote_ip6[4];
	u32 local_ip6[4];
	u32 remote_port;
	u32 local_port;
	u32 is_fullsock;
	u32 snd_cwnd;
	u32 srtt_us;
	u32 callback_flags;
	u32 others[20];
	u64 more[2];
	struct bpf_sock *sk;
};

struct sk_msg_md {
	u64 data;
	u64 data_end;
	u32 addresses[13];
	u32 size;
	struct bpf_sock *sk;
};

struct bpf_sockopt {
	struct bpf_sock *sk;
	u64 optval;
	u64 optval_end;
	int level;
	int optname;
	int optlen;
	int retval;
};

_Static_assert(__builtin_offsetof(struct bpf_sock_ops, sk) == 184, "linux/bpf.h");
_Static_assert(__builtin_offsetof(struct sk_msg_md, sk) == 72, "linux/bpf.h");
_Static_assert(__builtin_offsetof(struct bpf_sockopt, retval) == 36, "linux/bpf.h");

/* What is looked at of the kernel's own: places are found when the program is loaded. */
#define KERNEL __attribute__((preserve_access_index))
struct sock_common {
	unsigned char skc_state;
} KERNEL;
struct sock {
	struct sock_common __sk_common;
	struct {
		struct {
			int counter;
		} rmem_alloc;
	} sk_backlog;
	int sk_rcvbuf;
	int sk_rcvlowat;
	int sk_write_pending;
	void *sk_user_data;
} KERNEL;
struct list {
	struct list *next;
};
struct sk_psock {
	struct list ingress_msg;
} KERNEL;
struct tcp_sock {
	u32 rcv_nxt;
	u32 copied_seq;
	u32 write_seq;
} KERNEL;

static void *(*const lookup)(const void *map, const void *key) = (void *)1;
static long (*const update)(const void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const delete)(const void *map, const void *key) = (void *)3;
static u64 (*const cookie)(struct bpf_sock_ops *context) = (void *)46;
static long (*const set_callbacks)(struct bpf_sock_ops *context, int flags) = (void *)59;
static long (*const enter)(struct bpf_sock_ops *context, const void *map, void *key, u64 flags) = (void *)70;
static long (*const redirect)(struct sk_msg_md *message, const void *map, void *key, u64 flags) = (void *)71;
static u64 (*const current_group)(void) = (void *)80;
static void *(*const storage)(const void *map, void *sock, void *value, u64 flags) = (void *)107;
static long (*const read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static struct tcp_sock *(*const as_tcp)(struct bpf_sock *sock) = (void *)137;
static u64 (*const network)(void *context) = (void *)122;
static int (*const set_answer)(int answer) = (void *)187;

/* One end of a connection, as it sees it. Addresses of IPv4 are mapped into IPv6. */
struct name {
	u64 network;
	u32 local[4];
	u32 remote[4];
	u32 local_port;
	u32 remote_port;
};

/* May take part; takes part; sends by TCP from now on; must not take part. */
enum { WILLING = 1, JOINED = 2, BY_TCP = 4, NEVER = 8 };

/* What is known of a socket. */
struct end {
	u32 flags;
	u32 pad;
	/* Where the socket is, and the other one, which is looked up with the first message. */
	u64 own;
	u64 other;
	/* The number of the other one: SO_COOKIE. */
	u64 other_number;
	/* The control group that made it willing. */
	u64 run;
	struct name other_name;
};

/* A socket of the table. */
struct place {
	u64 sock;
	u64 number;
};

/* Connections of a run, by its control group. */
struct tally {
	u64 joined;
	u64 by_tcp;
};

#define MAP(name, kind, map_flags_, entries, key_type, value_type) \
	struct { \
		int (*type)[kind]; \
		int (*map_flags)[map_flags_]; \
		int (*max_entries)[entries]; \
		key_type *key; \
		value_type *value; \
	} name SECTION(".maps")
#define STORAGE(name, map_flags_, value_type) \
	struct { \
		int (*type)[MAP_SK_STORAGE]; \
		int (*map_flags)[map_flags_]; \
		int *key; \
		value_type *value; \
	} name SECTION(".maps")

/* By their numbers. */
MAP(SOCKETS, MAP_SOCKHASH, 0, 65536, u64, u32);
/* A child of a listening socket has its parent's. */
STORAGE(ENDS, NO_PREALLOC | CLONE, struct end);
/* Where the sockets of the table are. */
MAP(PLACES, MAP_HASH, NO_PREALLOC, 65536, struct name, struct place);
/* Connections that are being made, by the name of the active end. */
MAP(DIALLING, MAP_HASH, NO_PREALLOC, 65536, struct name, u32);
enum { ASKED = 0, HEARD = 1, ENTERED = 2 };
MAP(RUNS, MAP_HASH, NO_PREALLOC, 65536, u64, struct tally);
/*
 * Numbers of sockets that have nothing by TCP, neither unread nor on its way: whatever was sent to
 * them since then was passed. Each may stand in one entry only. Two that share theirs push each other
 * out, and then it is not known of them: so nobody has to hand entries out or to clear them.
 */
enum { PASSED_BITS = 16 };
MAP(PASSED, MAP_ARRAY, MAPPABLE, 1 << PASSED_BITS, u32, u64);

INLINE void turn_round(struct name *to, const struct name *from)
{
	to->network = from->network;
	for (int i = 0; i < 4; i++) {
		to->local[i] = from->remote[i];
		to->remote[i] = from->local[i];
	}
	to->local_port = from->remote_port;
	to->remote_port = from->local_port;
}

INLINE void name_of(struct bpf_sock_ops *context, struct name *name)
{
	const u32 mapped = 0xffff0000;
	name->network = network(context);
	if (WORD(context->family) == IPV4) {
		name->local[0] = name->local[1] = name->remote[0] = name->remote[1] = 0;
		name->local[2] = name->remote[2] = mapped;
		name->local[3] = WORD(context->local_ip4);
		name->remote[3] = WORD(context->remote_ip4);
		asm volatile("" ::: "memory");
	} else {
		name->local[0] = WORD(context->local_ip6[0]);
		name->local[1] = WORD(context->local_ip6[1]);
		name->local[2] = WORD(context->local_ip6[2]);
		name->local[3] = WORD(context->local_ip6[3]);
		name->remote[0] = WORD(context->remote_ip6[0]);
		name->remote[1] = WORD(context->remote_ip6[1]);
		name->remote[2] = WORD(context->remote_ip6[2]);
		name->remote[3] = WORD(context->remote_ip6[3]);
	}
	name->local_port = WORD(context->local_port);
	name->remote_port = __builtin_bswap32(WORD(context->remote_port));
}

INLINE void count(struct end *end, int joined)
{
	struct tally *tally = lookup(&RUNS, &end->run);
	if (tally)
		__sync_fetch_and_add(joined ? &tally->joined : &tally->by_tcp, 1);
}

/* Before the message can be received. Who sends has locked the sender. */
INLINE void note(u64 number, int is_passed)
{
	/* As the preloaded object has it. Numbers that follow each other are far apart. */
	u32 at = (u32)((number * 0x9e3779b97f4a7c15ull) >> (64 - PASSED_BITS));
	volatile u64 *entry = lookup(&PASSED, &at);

	/* It is read by others: nothing is written that is there already. */
	if (!entry)
		return;
	if (is_passed) {
		if (*entry != number)
			*entry = number;
	} else if (*entry == number) {
		*entry = 0;
	}
}

INLINE int join(struct bpf_sock_ops *context, struct bpf_sock *sock, struct end *end,
		struct name *own, struct name *other)
{
	struct place place = {(u64)sock, cookie(context)};
	end->other_name = *other;
	end->own = place.sock;
	end->other = end->other_number = 0;
	/* It may have been another connection's. */
	note(place.number, 0);
	if (update(&PLACES, own, &place, ANY))
		return 0;
	if (enter(context, &SOCKETS, &place.number, NO_EXIST)) {
		delete(&PLACES, own);
		return 0;
	}
	end->flags |= JOINED;
	return 1;
}

INLINE void tell_state(struct bpf_sock_ops *context)
{
	set_callbacks(context, WORD(context->callback_flags) | TELL_STATE);
}

INLINE void connects(struct bpf_sock_ops *context, struct name *own, struct name *other)
{
	u32 asked = ASKED;
	/* A socket may be connected to itself. */
	if (own->local_port == other->local_port && own->local[3] == other->local[3])
		return;
	if (!update(&DIALLING, own, &asked, ANY))
		tell_state(context);
}

/* The active end is first: the other one has heard of it, and waits. */
INLINE void active(struct bpf_sock_ops *context, struct bpf_sock *sock, struct end *end,
		   struct name *own, struct name *other)
{
	u32 *stage = lookup(&DIALLING, own);
	int joined = 0;
	if (stage && *stage == HEARD && join(context, sock, end, own, other)) {
		*stage = ENTERED;
		joined = 1;
	} else {
		delete(&DIALLING, own);
	}
	count(end, joined);
}

INLINE void passive(struct bpf_sock_ops *context, struct bpf_sock *sock, struct end *end,
		    struct name *own, struct name *other)
{
	u32 *stage = lookup(&DIALLING, other);
	int joined = 0;
	if (stage && *stage == ENTERED) {
		tell_state(context);
		joined = join(context, sock, end, own, other);
	}
	delete(&DIALLING, other);
	count(end, joined);
}

SECTION("sockops")
int sio_state(struct bpf_sock_ops *context)
{
	u32 operation = WORD(context->op);
	struct name own, other;
	struct bpf_sock *sock;
	struct end *end;

	if (operation != OPERATION_TIMEOUT && operation != OPERATION_CONNECT &&
	    operation != OPERATION_ACTIVE && operation != OPERATION_PASSIVE &&
	    operation != OPERATION_STATE)
		return 1;
	name_of(context, &own);
	turn_round(&other, &own);
	if (operation == OPERATION_TIMEOUT) {
		/* Also asked when a request to connect has come: this end hears of the other. */
		u32 *stage = lookup(&DIALLING, &other);
		if (stage && *stage == ASKED)
			*stage = HEARD;
		return 1;
	}
	if (operation == OPERATION_STATE) {
		if (WORD(context->args[1]) == STATE_CLOSE) {
			delete(&PLACES, &own);
			delete(&DIALLING, &own);
		}
		return 1;
	}
	sock = context->sk;
	if (!sock)
		return 1;
	end = storage(&ENDS, sock, 0, 0);
	if (!end || !(end->flags & WILLING) || end->flags & NEVER)
		return 1;
	if (operation == OPERATION_CONNECT)
		connects(context, &own, &other);
	else if (operation == OPERATION_ACTIVE)
		active(context, sock, end, &own, &other);
	else
		passive(context, sock, end, &own, &other);
	return 1;
}

/* A value of the kernel's at a place that may be gone: then it is any value, and does no harm. */
#define PEEK(kind, address, member) ({ \
	u32 value = 0; \
	read_kernel(&value, sizeof value, &((struct kind *)(address))->member); \
	value; \
})

/* Whether a message was passed to the other end. */
INLINE int pass(struct sk_msg_md *message, struct bpf_sock *sock, struct end *end)
{
	struct tcp_sock *own = as_tcp(sock);
	u64 other = end->other;
	int unread;

	if (!own || end->flags & BY_TCP)
		return 0;
	if (!other) {
		struct place *place = lookup(&PLACES, &end->other_name);
		if (!place)
			return 0;
		other = end->other = place->sock;
		end->other_number = place->number;
	}
	if (own->write_seq != PEEK(tcp_sock, other, copied_seq))
		return 0;
	/* Another thread waits for room, and has more to send by TCP. */
	if (((struct sock *)own)->sk_write_pending)
		return 0;
	if ((int)PEEK(sock, other, sk_rcvlowat) > 1)
		return 0;
	unread = (int)PEEK(sock, other, sk_backlog.rmem_alloc.counter);
	if (unread > 0 && unread + (int)WORD(message->size) > (int)PEEK(sock, other, sk_rcvbuf))
		return 0;
	if (redirect(message, &SOCKETS, &end->other_number, INGRESS) != PASS) {
		/* The other end is gone: TCP will say so. */
		end->other = 0;
		return 0;
	}
	return 1;
}

SECTION("sk_msg")
int sio_message(struct sk_msg_md *message)
{
	struct bpf_sock *sock = message->sk;
	struct end *end;

	if (!sock)
		return PASS;
	end = storage(&ENDS, sock, 0, 0);
	if (end) {
		int is_passed = pass(message, sock, end);

		note(end->other_number, is_passed);
	}
	return PASS;
}

/* What the preloaded object says, as options of a level that there is not. */
enum { LEVEL_OURS = 0x53494f, MAY_JOIN = 1, SEND_BY_TCP = 2, HAS_JOINED = 3, OTHER_HAS_READ = 4,
       HAS_READ = 5, UNREAD_BY_TCP = 6 };
/* States of a connection whose other end has not shut it down. */
enum { ESTABLISHED = 1, FIN_WAIT1 = 4, FIN_WAIT2 = 5 };
/* Counts are answered as what is less than any error. */
enum { LAST_ERROR = 4096 };

/* Whether a receiver has read all that was passed to it. Bits of the pointer mean something else. */
INLINE int has_read(u64 place)
{
	u64 queue = 0, list, first = 0;

	read_kernel(&queue, sizeof queue, &((struct sock *)place)->sk_user_data);
	list = (u64)&((struct sk_psock *)(queue & ~7ull))->ingress_msg;
	return !queue || read_kernel(&first, sizeof first, (void *)list) || first == list;
}

/* What has come by TCP and was not read. The end of a stream has a number as bytes have. */
INLINE u32 unread_by_tcp(u64 place)
{
	u32 unread = PEEK(tcp_sock, place, rcv_nxt) - PEEK(tcp_sock, place, copied_seq);
	u32 state = PEEK(sock, place, __sk_common.skc_state) & 0xff;
	int goes_on = state == ESTABLISHED || state == FIN_WAIT1 || state == FIN_WAIT2;

	return unread && !goes_on ? unread - 1 : unread;
}

INLINE int ours(struct bpf_sockopt *context, struct bpf_sock *sock, struct end *end)
{
	int option = (int)WORD(context->optname);
	int joined = end && end->flags & JOINED;

	switch (option) {
	case MAY_JOIN:
		if (sock->protocol != TCP || sock->type != STREAM)
			break;
		end = storage(&ENDS, sock, 0, STORAGE_CREATE);
		if (end && !(end->flags & JOINED)) {
			struct tally none = {0};
			end->flags |= WILLING;
			end->run = current_group();
			update(&RUNS, &end->run, &none, NO_EXIST);
		}
		break;
	case SEND_BY_TCP:
		if (end)
			end->flags |= BY_TCP;
		break;
	case HAS_JOINED:
		if (!joined)
			return 0;
		break;
	case OTHER_HAS_READ:
		if (joined && end->other && !has_read(end->other))
			return 0;
		break;
	case HAS_READ:
		if (joined && !has_read(end->own))
			return 0;
		break;
	case UNREAD_BY_TCP:
		if (!joined)
			return 0;
		set_answer(-LAST_ERROR - (int)unread_by_tcp(end->own));
		return 1;
	default:
		return 0;
	}
	context->optlen = -1;
	return 1;
}

SECTION("cgroup/setsockopt")
int sio_option(struct bpf_sockopt *context)
{
	struct bpf_sock *sock = context->sk;
	int level = (int)WORD(context->level), option = (int)WORD(context->optname);
	struct end *end;

	if (!sock)
		return 1;
	if (level != LEVEL_OURS && (level != LEVEL_SOCKET || option != OPTION_ZEROCOPY) &&
	    (level != TCP || option != OPTION_ULP))
		return 1;
	end = storage(&ENDS, sock, 0, 0);
	if (level == LEVEL_OURS)
		return ours(context, sock, end);
	if (!end)
		return 1;
	if (end->flags & JOINED) {
		/* As where there is no such thing, for which programs are prepared. */
		set_answer(level == TCP ? NO_SUCH : NOT_SUPPORTED);
		return 0;
	}
	end->flags |= NEVER;
	return 1;
}

char LICENSE[] SECTION("license") = "Dual MIT/GPL";
