//! Any packet: `fuzz/run packets`. `tests/packets.rs` does the same with inputs that are always the
//! same.

#![no_main]

#[path = "../tests/packets/body.rs"]
mod body;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    static CLAIMS: OnceLock<body::Claims> = OnceLock::new();
    let claims = CLAIMS.get_or_init(body::claims);
    body::check(claims, &body::packet(input));
});
