//! Buffers of an area that many sockets wait for.

use super::*;
use crate::region::map::Pages;
use crate::sys::ring::{self, Ring};

const AREA_BYTES: usize = 256 * 1024;
const SOCKETS: Key = 1000;

/// A group without room, and all of its area's blocks; `None`: no buffers of this kind here.
fn starving() -> Option<(Group, Vec<usize>)> {
    if !ring::features().is_ok_and(|features| features.receive_incremental) {
        eprintln!("skipped: no buffers that are filled piece by piece");
        return None;
    }
    let region = Region::new(1, AREA_BYTES, Pages::Normal, 0, None).expect("an area");
    let blocks = std::iter::from_fn(|| region.reserve(BUFFER_BYTES_MIN).ok()).collect();
    let ring = Ring::new(4, 8, false).expect("a ring");
    let mut group = Group::new(&ring, 0, &region, Use::Parts).expect("a group");
    (0..SOCKETS).for_each(|key| group.add_starved(key));
    Some((group, blocks))
}

fn fed(group: &mut Group, all: bool) -> Vec<Key> {
    group.prepare_to_feed(usize::MAX);
    std::iter::from_fn(|| group.next_to_feed(all)).collect()
}

#[test]
fn a_full_area_is_not_looked_at_for_each_socket() {
    let Some((mut group, _)) = starving() else { return };
    let before = group.region.refused();
    assert!(fed(&mut group, true).is_empty() && fed(&mut group, false).is_empty());
    let looks = group.region.refused() - before;
    assert!(looks <= 4 * 6, "{looks} looks, of two sizes each at the most");
}

#[test]
fn as_many_are_fed_as_find_room_in_their_order() {
    let Some((mut group, blocks)) = starving() else { return };
    group.region.release(blocks[0], BUFFER_BYTES_MIN).expect("ours");
    let mut next = 0;
    // A buffer for one, as long as nothing is known of what they take.
    for _ in 0..3 {
        let keys = fed(&mut group, false);
        assert_eq!(keys, [next]);
        next += 1;
    }
    let keys = fed(&mut group, true);
    assert!(keys.into_iter().eq(next..SOCKETS));
    assert!(!group.has_starved());
}
