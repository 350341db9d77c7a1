//! Inputs for `body.rs`: random ones, but the same every time.

/// So many inputs of 1 to 12 bytes: few changes, so that many packets are nearly right.
pub fn inputs(count: usize) -> impl Iterator<Item = Vec<u8>> {
    // Sebastiano Vigna's splitmix64.
    let mut state = 2006u64;
    let mut next = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    };
    (0..count).map(move |_| {
        let bytes = [next().to_le_bytes(), next().to_le_bytes()].concat();
        let length = 1 + usize::from(bytes[15]) % 8;
        let mut input = bytes[..length].to_vec();
        // Raw bytes are hardly ever anything: one in thirty-two.
        if bytes[14] % 32 != 0 {
            input[0] &= 0x7f;
        }
        // Where headers are, mostly.
        for at in input.iter_mut().skip(1).step_by(2).filter(|_| bytes[13] % 4 != 0) {
            *at %= 72;
        }
        input
    })
}
