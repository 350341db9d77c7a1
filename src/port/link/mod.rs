//! What the kernel knows about interfaces, addresses, routes and neighbours, and what changes.
#![forbid(unsafe_code)]

mod interface;
mod route;

pub use interface::{
    Interface, Vlan, addresses, interface_by_index, interface_by_name, interface_with, interfaces,
    vlans,
};
pub use route::{Changes, Hop, Routes};

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;

use crate::error::{Errno, Result};
use crate::sys::netlink::Socket;

/// Whether one thing is asked for or a list of all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    One,
    All,
}

/// Asks, and collects the answers.
fn ask(
    socket: &Socket,
    question: RouteNetlinkMessage,
    extent: Extent,
) -> Result<Vec<RouteNetlinkMessage>> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | if extent == Extent::All { NLM_F_DUMP } else { 0 };
    send(socket, header, question)?;
    let mut answers = Vec::new();
    let mut buffer = Vec::new();
    // The kernel has answered already; what it tells at length comes in portions.
    while !take_in(socket, &mut buffer, &mut answers)? && extent == Extent::All {}
    Ok(answers)
}

fn send(socket: &Socket, header: NetlinkHeader, message: RouteNetlinkMessage) -> Result<()> {
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes)
}

/// Reads one datagram of messages; `true`: the list is complete.
fn take_in(
    socket: &Socket,
    buffer: &mut Vec<u8>,
    messages: &mut Vec<RouteNetlinkMessage>,
) -> Result<bool> {
    socket.receive(buffer)?;
    let mut rest = buffer.as_slice();
    let mut complete = false;
    while !rest.is_empty() {
        // What this version of the crate does not understand is left out.
        let length = message_bytes(rest).ok_or(Errno::EBADMSG)?;
        if let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) {
            match message.payload {
                NetlinkPayload::InnerMessage(inner) => messages.push(inner),
                NetlinkPayload::Error(error) => {
                    if let Some(code) = error.code {
                        return Err(Errno::from_raw(code.get().wrapping_neg()));
                    }
                }
                NetlinkPayload::Done(_) => complete = true,
                _ => {}
            }
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(complete)
}

/// The length that a message begins with: `nlmsg_len`.
fn message_bytes(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    (length >= 16 && length <= bytes.len()).then_some(length)
}
