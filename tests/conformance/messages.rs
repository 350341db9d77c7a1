//! Messages: UDP over IPv4 and IPv6, Unix datagrams and packets; their bounds, their senders, and
//! what travels beside the data.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use nix::sys::socket::{setsockopt, sockopt};
use sio::channel::event;
use sio::error::Errno;

use super::face::{Face, Parts};
use super::memory::{Block, Message, control_with_right};
use super::rig::{AREA, ATTACHED_OR_NOT, Area, Channel, Endpoint, Pattern, Rig};
use super::setting::Setting;
use super::sockets::{self, Family, MESSAGES, STREAMS, UDP, UNIX, each};

const SIZES: [usize; 6] = [1, 64, 100, 1472, 9000, 60_000];

/// One call, one message; one send, one message.
fn bounds_are_kept<F: Face>() {
    for family in each(MESSAGES) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let sizes = SIZES.map(|size| Setting::current().datagram(size));
            for (seed, size) in sizes.into_iter().enumerate() {
                sockets::write(&rig.peer, &Pattern(seed).bytes(0, size));
            }
            for (seed, size) in sizes.into_iter().enumerate() {
                if attached {
                    let told = rig.channel.wait();
                    assert_eq!((told.kind, told.result), (event::RECV, size as i64));
                }
                let block = rig.end.take(65_536);
                assert_eq!(block.size, size);
                Pattern(seed).check(0, block.bytes());
                rig.area.release(block);
            }
            rig.channel.check_empty();
            let blocks: Vec<Block> = sizes
                .into_iter()
                .enumerate()
                .map(|(seed, size)| rig.area.block(&Pattern(seed).bytes(7, size)))
                .collect();
            for &block in &blocks {
                rig.end.must_send(block, 0);
            }
            for (seed, &block) in blocks.iter().enumerate() {
                if attached {
                    rig.channel.wait_sent(block);
                }
                assert_eq!(sockets::read(&rig.peer), Pattern(seed).bytes(7, block.size));
                rig.area.release(block);
            }
        }
    }
}

/// An empty message is a message: 0, and an address all the same.
fn empty_message<F: Face>() {
    for family in each(MESSAGES) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            sockets::write(&rig.peer, b"");
            sockets::write(&rig.peer, b"next");
            if attached {
                let told = rig.channel.wait();
                assert_eq!((told.kind, told.result, told.flags), (event::RECV, 0, 0));
            }
            assert_eq!(rig.end.take(100).size, 0);
            let next = rig.end.take(100);
            assert_eq!(next.bytes(), b"next");
            let empty = next.part(0, 0);
            rig.end.must_send(empty, 0);
            if attached {
                rig.channel.wait_sent(empty);
            }
            assert_eq!(sockets::read(&rig.peer), b"");
            rig.area.release(next);
        }
    }
}

/// What was not asked for is cut off, and told only if wanted; the next message is whole.
fn message_is_cut<F: Face>() {
    for family in each(MESSAGES) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            for flags in [0, libc::MSG_TRUNC] {
                sockets::write(&rig.peer, &Pattern(30).bytes(0, 1000));
                sockets::write(&rig.peer, b"whole");
                let cut = rig.end.receive(300, flags).expect("sio_recv").expect("a message");
                let real = if flags == 0 { 300 } else { 1000 };
                assert_eq!(cut.size, real);
                let cut = Block { size: 300, ..cut };
                Pattern(30).check(0, cut.bytes());
                let whole = rig.end.take(300);
                assert_eq!(whole.bytes(), b"whole");
                rig.area.release(whole);
                rig.area.release(cut);
            }
        }
    }
}

/// Who sent a datagram is told, and an answer goes there.
fn senders_and_receivers<F: Face>() {
    for family in each(UDP) {
        for attached in ATTACHED_OR_NOT {
            let area = Area::<F>::new(AREA);
            let channel = Channel::<F>::new(0);
            let server = family.udp();
            let address = server.local_addr().expect("bound");
            let end = Endpoint::new(&area, server.into());
            if attached {
                end.attach(&channel, 1);
            }
            let clients = [(); 3].map(|()| family.udp_peer());
            for (number, client) in clients.iter().enumerate() {
                client.send_to(&[number as u8; 10], address).expect("send_to");
            }
            for client in &clients {
                let (got, name) = F::receive_from(end.fd(), 100, 0).expect("sio_recvfrom");
                assert_eq!(name, sockets::address_bytes(client.local_addr().expect("bound")));
                let block = Block { address: got.address, size: got.count };
                assert_eq!(block.size, 10);
                // The same block goes back to where it came from.
                let sent = F::send_to(end.fd(), block.address, block.size, 0, &name);
                assert_eq!(sent, Ok(10));
                if attached {
                    channel.wait_sent(block);
                }
                area.release(block);
            }
            for (number, client) in clients.iter().enumerate() {
                let mut room = [0; 100];
                assert_eq!(client.recv_from(&mut room).expect("recv_from"), (10, address));
                assert_eq!(room[..10], [number as u8; 10]);
            }
        }
    }
}

/// Descriptors travel as control data, out and in, and close on exec if asked for.
fn descriptors_travel<F: Face>() {
    for family in each(UNIX) {
        for attached in ATTACHED_OR_NOT {
            let (one, other) = family.pair();
            let area = Area::<F>::new(AREA);
            let channel = Channel::<F>::new(0);
            let ends = [Endpoint::new(&area, one), Endpoint::new(&area, other)];
            if attached {
                ends[0].attach(&channel, 0);
                ends[1].attach(&channel, 1);
            }
            let (mut here, there) = UnixStream::pair().expect("socketpair");
            let block = area.block(b"with a right");
            let parts = Parts {
                parts: vec![(block.address, block.size)],
                control: control_with_right(there.as_raw_fd()),
                ..Parts::default()
            };
            assert_eq!(F::send_message(ends[0].fd(), &parts, 0), Ok(block.size));
            // The call has read what the program's memory says.
            drop(parts);
            if attached {
                channel.wait_sent(block);
            }
            drop(there);
            let got = F::receive_message(ends[1].fd(), libc::MSG_CMSG_CLOEXEC);
            let got = got.expect("sio_recvmsg");
            let message = Message::read(got.address);
            assert_eq!((got.count, message.data.bytes()), (block.size, block.bytes()));
            assert_eq!(message.flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC), 0);
            let [right]: [_; 1] = message.rights().try_into().expect("one descriptor");
            let flags = nix::fcntl::fcntl(&right, nix::fcntl::FcntlArg::F_GETFD);
            assert_eq!(flags, Ok(libc::FD_CLOEXEC));
            UnixStream::from(right).write_all(b"through").expect("write");
            let mut text = String::new();
            here.read_to_string(&mut text).expect("read");
            assert_eq!(text, "through");
            // One release gives back header and data, and no other does.
            assert_eq!(area.try_release(message.data), Err(Errno::EINVAL));
            area.release(message.header);
            assert_eq!(area.try_release(message.header), Err(Errno::EINVAL));
            area.release(block);
        }
    }
}

/// Where a datagram was sent to, and who sent it.
fn header_tells_addresses<F: Face>() {
    for family in each(UDP) {
        for attached in ATTACHED_OR_NOT {
            let area = Area::<F>::new(AREA);
            let channel = Channel::<F>::new(0);
            let server = family.udp();
            let (level, kind) = if family == Family::Udp4 {
                setsockopt(&server, sockopt::Ipv4PacketInfo, &true).expect("IP_PKTINFO");
                (libc::IPPROTO_IP, libc::IP_PKTINFO)
            } else {
                setsockopt(&server, sockopt::Ipv6RecvPacketInfo, &true).expect("RECVPKTINFO");
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO)
            };
            let address = server.local_addr().expect("bound");
            let end = Endpoint::new(&area, server.into());
            if attached {
                end.attach(&channel, 1);
            }
            let client = family.udp_peer();
            client.send_to(b"a question", address).expect("send_to");
            let got = F::receive_message(end.fd(), 0).expect("sio_recvmsg");
            let message = Message::read(got.address);
            assert_eq!(message.data.bytes(), b"a question");
            let sender = sockets::address_bytes(client.local_addr().expect("bound"));
            assert_eq!(message.name, sender);
            assert!(message.control.iter().any(|one| (one.level, one.kind) == (level, kind)));

            let parts = Parts {
                parts: vec![(message.data.address, 2), (message.data.address + 5, 3)],
                name: message.name.clone(),
                ..Parts::default()
            };
            assert_eq!(F::send_message(end.fd(), &parts, 0), Ok(5));
            if attached {
                let sent = channel.wait_for(event::SENT);
                let expected = (message.data.address, 5, 5);
                assert_eq!((sent.pointer, sent.length, sent.result), expected);
            }
            let mut room = [0; 100];
            assert_eq!(client.recv_from(&mut room).expect("recv_from"), (5, address));
            assert_eq!(&room[..5], b"a sti");
            area.release(message.header);
        }
    }
}

/// Several pieces of several blocks in one call; a stream hands them out with a header too.
fn pieces_are_gathered<F: Face>() {
    for family in each(sockets::ALL) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let blocks: Vec<Block> =
                (0..20).map(|seed| rig.area.block(&Pattern(seed).bytes(0, 500))).collect();
            let parts = blocks.iter().map(|block| (block.address + 100, 300)).collect();
            let parts = Parts { parts, ..Parts::default() };
            assert_eq!(F::send_message(rig.end.fd(), &parts, 0), Ok(6000));
            if attached {
                let sent = rig.channel.wait_for(event::SENT);
                assert_eq!((sent.result, sent.length), (6000, 6000));
                assert_eq!(sent.pointer, blocks[0].address + 100);
            }
            for (seed, block) in blocks.into_iter().enumerate() {
                if family.is_stream() {
                    sockets::read_pattern(&rig.peer, Pattern(seed), 100, 300);
                } else if seed == 0 {
                    let whole = sockets::read(&rig.peer);
                    assert_eq!(whole.len(), 6000);
                    for (seed, piece) in whole.chunks(300).enumerate() {
                        Pattern(seed).check(100, piece);
                    }
                }
                rig.area.release(block);
            }
        }
    }
}

/// A stream's pieces with headers, which are neither longer nor other than without.
fn stream_with_headers<F: Face>() {
    for family in each(STREAMS) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            sockets::write_pattern(&rig.peer, Pattern(31), 0, 100_000);
            sockets::shutdown_write(&rig.peer);
            let mut at = 0;
            loop {
                let got = F::receive_message(rig.end.fd(), 0).expect("sio_recvmsg");
                if got.address == 0 {
                    break;
                }
                let message = Message::read(got.address);
                assert_eq!(message.data.size, got.count);
                Pattern(31).check(at, message.data.bytes());
                at += got.count;
                rig.area.release(message.header);
            }
            assert_eq!(at, 100_000);
        }
    }
}

/// What is too long for a datagram is refused, or told as failed, and does not hinder the next.
fn message_is_too_long<F: Face>() {
    for family in each(UDP) {
        for attached in ATTACHED_OR_NOT {
            let rig = Rig::<F>::new(family, AREA, attached);
            let long = rig.area.block(&Pattern(32).bytes(0, 70_000));
            if attached {
                rig.end.must_send(long, 0);
                let sent = rig.channel.wait_for(event::SENT);
                assert_eq!((sent.result, sent.errno), (-1, Errno::EMSGSIZE as i32));
                assert_eq!((sent.pointer, sent.length), (long.address, long.size));
            } else {
                assert_eq!(rig.end.send(long, 0), Err(Errno::EMSGSIZE));
            }
            let short = long.part(5, 10);
            rig.end.must_send(short, 0);
            if attached {
                rig.channel.wait_sent(short);
            }
            assert_eq!(sockets::read(&rig.peer), Pattern(32).bytes(5, 10));
            rig.area.release(long);
        }
    }
}

/// The end of a sequence of packets is told apart from an empty packet.
fn end_of_packets<F: Face>() {
    for attached in ATTACHED_OR_NOT {
        let rig = Rig::<F>::new(Family::UnixPackets, AREA, attached);
        sockets::write(&rig.peer, b"one");
        sockets::write(&rig.peer, b"");
        let Rig { area, channel, end, peer } = rig;
        drop(peer);
        let block = end.take(100);
        assert_eq!(block.bytes(), b"one");
        area.release(block);
        if attached {
            assert_eq!(channel.wait().kind, event::RECV);
        }
        while let Some(empty) = end.receive(100, 0).expect("sio_recv") {
            assert_eq!(empty.size, 0);
        }
        channel.check_empty();
    }
}

behaviours!(
    bounds_are_kept,
    empty_message,
    message_is_cut,
    senders_and_receivers,
    descriptors_travel,
    header_tells_addresses,
    pieces_are_gathered,
    stream_with_headers,
    message_is_too_long,
    end_of_packets,
);

over_interfaces!(
    bounds_are_kept,
    empty_message,
    message_is_cut,
    senders_and_receivers,
    header_tells_addresses,
    pieces_are_gathered,
);
