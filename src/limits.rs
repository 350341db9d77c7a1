//! The numbers that bound the library, in one place.
#![forbid(unsafe_code)]

/// Events that a channel holds when `ec_create` is not told otherwise (log2).
pub const CAPACITY_LOG2_DEFAULT: u32 = 12;
/// The largest capacity that can be asked for (log2).
pub const CAPACITY_LOG2_MAX: u32 = 20;
/// Sources that one channel can have: a source id is a slot of this many bits and a generation.
pub const SOURCE_SLOT_BITS: u32 = 20;
/// Descriptors that can be sockets or channels of the library.
pub const DESCRIPTOR_MAX: usize = 1 << 20;
/// DMA areas that can exist at once.
pub const REGION_MAX: usize = 1 << 16;
/// Blocks are multiples of this many bytes and aligned to it: a cache line.
pub const GRANULE_BYTES: usize = 64;
/// Frames of an area for packets are of this size: what AF_XDP takes on every machine, a page.
pub const FRAME_BYTES: usize = 4096;
/// Room for headers in front of a block that is one frame, in bytes: two cache lines.
pub const FRAME_HEADROOM_BYTES: usize = 128;
/// The largest piece that one `sio_recv` of a stream takes from the kernel, in bytes.
pub const STREAM_PIECE_BYTES_MAX: usize = 256 * 1024;
/// No datagram of the Internet protocols is longer, in bytes.
pub const DATAGRAM_BYTES_MAX: usize = 65_536;
/// Room for control data in a received message, in bytes: 253 descriptors and some more.
pub const CONTROL_BYTES_MAX: usize = 1280;
/// Control data of one `sio_sendmsg`, in bytes: more than any kernel takes (net.core.optmem_max), so
/// that a length that is none is not believed.
pub const SENT_CONTROL_BYTES_MAX: usize = 1 << 20;
/// Pieces of one `sio_sendmsg`: as `IOV_MAX`.
pub const IOVECS_MAX: usize = 1024;
/// One buffer that io_uring registers is at most 1 GiB.
pub const REGISTERED_BUFFER_BYTES_MAX: usize = 1 << 30;
