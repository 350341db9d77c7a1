//! Any packet, as a fuzzer would make them, but the same ones every time: what the parser and the
//! flow table make of it agrees with what the classifier takes from the kernel.

#[path = "packets/body.rs"]
mod body;

#[path = "packets/inputs.rs"]
mod inputs;

#[test]
fn parser_and_classifier_agree_on_any_packet() {
    let claims = body::claims();
    let (mut claimed, mut parsed, mut known) = (0, 0, 0);
    for input in inputs::inputs(200_000) {
        let packet = body::packet(&input);
        body::check(&claims, &packet);
        claimed += usize::from(claims.has(&packet));
        parsed += usize::from(sio::net::parse::parse(&packet).is_ok());
        known += usize::from(claims.knows(&packet));
    }
    // Both sides of the question were asked.
    assert!((20_000..180_000).contains(&claimed), "{claimed} claimed");
    assert!((20_000..180_000).contains(&parsed), "{parsed} parsed");
    assert!((500..20_000).contains(&known), "{known} known");
}

#[test]
fn good_packets_of_each_kind_are_claimed_and_understood() {
    let claims = body::claims();
    for is_ipv6 in [0, 1] {
        for port in 0..5u8 {
            for tag in 0..4u8 {
                let packet = body::packet(&[is_ipv6 | tag << 1 | port << 3]);
                assert_eq!(claims.has(&packet), port < 4 && tag < 3, "port {port}, tag {tag}");
                let datagram = sio::net::parse::parse(&packet).expect("a datagram");
                assert_eq!(datagram.payload_bytes, 8);
                assert_eq!(claims.knows(&packet), [is_ipv6, port, tag] == [0; 3]);
            }
        }
    }
}
