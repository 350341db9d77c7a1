//! What --udp needs: whether any interface can serve sockets of the program. Which socket is served
//! is found out in the program (preload/src/datagrams/).
#![forbid(unsafe_code)]

use sio::api::engines::Kind;
use sio::port::af_xdp::survey;

/// Set for the preloaded object.
pub const VARIABLE: &str = "SIO_UDP";

/// The interfaces that can serve, or why there are none.
pub fn interfaces() -> Result<Vec<String>, String> {
    Kind::AfXdp.check().map_err(|refusal| refusal.cause)?;
    let all = survey().map_err(|errno| errno.desc().to_owned())?;
    let mut reason = String::from("af_xdp: there is no interface");
    let mut able = Vec::new();
    for verdict in all {
        match verdict.queues {
            Ok(_) => able.push(verdict.interface),
            Err(refusal) => reason = refusal.cause,
        }
    }
    if able.is_empty() { Err(reason) } else { Ok(able) }
}
