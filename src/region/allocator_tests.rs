//! The allocator against a model that remembers every chunk.

use super::Allocator;

#[test]
fn the_whole_area_is_one_chunk() {
    for size in [1, 3, 15, 16, 17, 1000, 16_384, 1 << 24] {
        let mut allocator = Allocator::new(size);
        let chunk = allocator.allocate(size).expect("all of it");
        assert_eq!((allocator.offset(chunk), allocator.size(chunk)), (0, size));
        assert!(allocator.allocate(1).is_none());
        assert!(allocator.drop_references(chunk, 1));
        assert!(allocator.allocate(size).is_some());
    }
}

#[test]
fn too_much_is_refused_and_changes_nothing() {
    let mut allocator = Allocator::new(100);
    assert!(allocator.allocate(101).is_none());
    assert!(allocator.allocate(u32::MAX).is_none());
    assert_eq!(allocator.free_granules(), 100);
}

#[test]
fn a_chunk_is_free_when_the_last_reference_has_gone() {
    let mut allocator = Allocator::new(10);
    let chunk = allocator.allocate(10).expect("room");
    allocator.add_references(chunk, 1);
    assert!(!allocator.drop_references(chunk, 1));
    assert_eq!(allocator.free_granules(), 0);
    assert!(allocator.drop_references(chunk, 1));
    assert_eq!(allocator.free_granules(), 10);
}

#[test]
fn random_use_never_overlaps_and_all_comes_back() {
    const SIZE: u32 = 5000;
    let mut allocator = Allocator::new(SIZE);
    let mut owner = vec![0u32; SIZE as usize];
    let mut held: Vec<u32> = Vec::new();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for round in 0..200_000u32 {
        if round == 50_000 {
            // From now on with sizes that are kept.
            [1, 7, 20, 300].into_iter().for_each(|size| allocator.keep_size(size));
        }
        if next() % 2 == 0 {
            let size = 1 + (next() % if round % 7 == 0 { 900 } else { 20 }) as u32;
            if let Some(chunk) = allocator.allocate(size) {
                assert_eq!(allocator.size(chunk), size);
                let start = allocator.offset(chunk) as usize;
                for granule in &mut owner[start..start + size as usize] {
                    assert_eq!(std::mem::replace(granule, chunk + 1), 0);
                }
                held.push(chunk);
            } else {
                let mut run = 0;
                let longest = owner.iter().fold(0, |longest, &owner| {
                    run = if owner == 0 { run + 1 } else { 0 };
                    u32::max(longest, run)
                });
                assert!(longest < size, "refused {size} although {longest} in a row are free");
            }
        } else if !held.is_empty() {
            let index = next() as usize % held.len();
            let chunk = held[index];
            let (start, size) = (allocator.offset(chunk), allocator.size(chunk));
            let keep = if next() % 3 == 0 { 1 + next() as u32 % size } else { 0 };
            for granule in &mut owner[(start + keep) as usize..(start + size) as usize] {
                assert_eq!(std::mem::replace(granule, 0), chunk + 1);
            }
            if keep > 0 {
                allocator.shrink(chunk, keep);
            } else {
                held.swap_remove(index);
                assert!(allocator.drop_references(chunk, 1));
            }
        }
        let free = owner.iter().filter(|&&owner| owner == 0).count();
        if round % 1000 == 0 {
            assert_eq!(allocator.free_granules() as usize, free);
        }
    }
    for chunk in held {
        allocator.drop_references(chunk, 1);
    }
    assert!(allocator.allocate(SIZE).is_some(), "everything has merged again");
}

#[test]
fn what_is_kept_is_given_out_again_the_last_first() {
    let mut allocator = Allocator::new(100);
    allocator.keep_size(10);
    let chunks: Vec<_> = (0..4).map(|_| allocator.allocate(10).expect("room")).collect();
    chunks.iter().for_each(|&chunk| assert!(allocator.drop_references(chunk, 1)));
    assert_eq!(allocator.free_granules(), 100);
    for &chunk in chunks.iter().rev() {
        assert_eq!(allocator.allocate(10), Some(chunk));
    }
    assert_eq!(allocator.free_granules(), 60);
}

#[test]
fn what_is_kept_is_room_for_anything() {
    let mut allocator = Allocator::new(100);
    allocator.keep_size(10);
    let chunks: Vec<_> = (0..10).map(|_| allocator.allocate(10).expect("room")).collect();
    for chunk in chunks {
        allocator.drop_references(chunk, 1);
    }
    let all = allocator.allocate(100).expect("all of it");
    assert_eq!((allocator.size(all), allocator.free_granules()), (100, 0));
}
