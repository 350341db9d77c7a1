//! An area of frames, as the program and an engine use it.

use std::sync::Arc;

use super::*;
use crate::limits::FRAME_BYTES;
use crate::region::map::Pages;

const FRAMES: usize = 8;
const LARGEST: usize = FRAME_BYTES - FRAME_HEADROOM_BYTES;

fn area() -> Arc<Region> {
    Region::new(1, FRAMES * FRAME_BYTES, Pages::Normal, 0, Some(FRAME_BYTES)).expect("an area")
}

#[test]
fn a_block_is_a_frame_with_room_in_front() {
    let region = area();
    let base = region.mapping().base() as usize;
    let blocks: Vec<usize> =
        (0..FRAMES).map(|_| region.reserve(LARGEST).expect("a frame")).collect();
    assert!(blocks.iter().all(|block| (block - base) % FRAME_BYTES == FRAME_HEADROOM_BYTES));
    assert_eq!(region.reserve(1), Err(Errno::ENOBUFS));
    assert_eq!(region.release(blocks[0] + 1, LARGEST - 1), Err(Errno::EINVAL));
    assert!(!region.is_idle());
    blocks.iter().for_each(|&block| assert_eq!(region.release(block, LARGEST), Ok(())));
    assert!(region.is_idle());
}

#[test]
fn larger_blocks_are_given_out_until_an_engine_insists() {
    let region = area();
    let small = region.reserve(1).expect("a frame");
    region.release(small, 1).expect("ours");
    // The frames that were made for the small one are the allocator's again.
    let whole = region.reserve(FRAMES * FRAME_BYTES).expect("all of it");
    region.release(whole, FRAMES * FRAME_BYTES).expect("ours");
    region.insist_on_frames();
    assert_eq!(region.reserve(LARGEST + 1), Err(Errno::EMSGSIZE));
    assert!(region.reserve(LARGEST).is_ok());
}

#[test]
fn what_arrives_is_handed_out_and_can_be_sent_back() {
    let region = area();
    let frame = region.take_frame().expect("a frame");
    let given = Given { frame, from: 298, bytes: 100 };
    let account = Arc::new(Account::new(1000, FRAMES * FRAME_BYTES));
    account.add(100);
    let address = region.give_frame(given, account.booked());
    let mut loan = region.lend(address, 100).expect("the program's");
    assert_eq!(loan.frame(), Some(frame));
    assert!(region.lead(loan.offset(), 42), "room");
    assert!(!region.lead(loan.offset(), 42), "in use");
    region.release_around(loan.offset());
    assert_eq!(account.left_bytes(), 900, "still being sent");
    loan.leave_frame();
    drop(loan);
    assert_eq!(account.left_bytes(), 900, "its headers are");
    region.retract(frame);
    assert_eq!(account.left_bytes(), 1000);
    assert!(region.is_idle());
}

#[test]
fn a_message_has_its_header_in_the_frame() {
    let region = area();
    let account = Arc::new(Account::new(0, FRAMES * FRAME_BYTES));
    for (control, cut) in [(vec![7; 40], false), (vec![7; 200], true)] {
        let frame = region.take_frame().expect("a frame");
        let given = Given { frame, from: 298, bytes: 5 };
        region.mapping().span(region.frame_offset(frame) + 298, 5).fill_from(b"hello");
        let parts = (&[9u8; 16][..], &control[..], 0);
        let header = region.give_frame_message(given, 70, parts, account.booked());
        let offset = header - region.mapping().base() as usize;
        assert_eq!(offset, region.frame_offset(frame));
        let bytes = region.mapping().span(offset, MESSAGE_HEADER_BYTES).to_vec();
        // struct msghdr: name, namelen, iov, iovlen, control, controllen, flags.
        let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight"));
        assert_eq!(word(8) as u32, 16);
        assert_eq!(word(40) as usize, if cut { 0 } else { 40 });
        assert_eq!(word(48) as i32, if cut { libc::MSG_CTRUNC } else { 0 });
        assert_eq!(region.release(header, MSGHDR_BYTES), Ok(()));
        assert_eq!(region.release(header, MSGHDR_BYTES), Err(Errno::EINVAL));
    }
    assert!(region.is_idle());
}

#[test]
fn an_empty_datagram_holds_nothing() {
    let region = area();
    let frame = region.take_frame().expect("a frame");
    let address = region.give_frame(Given { frame, from: 298, bytes: 0 }, None);
    assert!(region.is_idle());
    assert_eq!(region.release(address, 0), Ok(()));
    assert_eq!(region.release(address, 0), Err(Errno::EINVAL));
}
