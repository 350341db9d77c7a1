//! The numbers as JSON.
#![forbid(unsafe_code)]

use serde_json::{Map, Value, json};
use sio::sys::stat::layout::{COUNTERS, KINDS, Kind};
use sio::sys::stat::reader::Object;

use super::processes::{Process, Refused};

pub fn object(found: &[Process], refused: &[Refused]) -> Value {
    let refused: Vec<Value> = refused
        .iter()
        .map(|refused| json!({ "pid": refused.process, "cause": refused.cause }))
        .collect();
    json!({
        "processes": found.iter().map(process).collect::<Vec<Value>>(),
        "refused": refused,
    })
}

fn process(process: &Process) -> Value {
    let list = |kind| process.of(kind).map(one).collect::<Vec<Value>>();
    let totals: Map<String, Value> = KINDS
        .into_iter()
        .map(|kind| (kind.plural().to_owned(), counters(kind, &process.total(kind)).into()))
        .collect();
    json!({
        "pid": process.id,
        "name": process.name,
        "library": process.library,
        "hidden": process.hidden,
        "totals": totals,
        "requests": {
            "at_once": process.requests[0],
            "by_ring": process.requests[1],
            "by_threads": process.requests[2],
            "behind": text(&process.behind),
        },
        "channels": list(Kind::Channel),
        "engines": list(Kind::Engine),
        "areas": list(Kind::Area),
        "sockets": list(Kind::Socket),
    })
}

fn text(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn counters(kind: Kind, values: &[u64; COUNTERS]) -> Map<String, Value> {
    kind.counters()
        .iter()
        .zip(values)
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

fn one(object: &Object) -> Value {
    let mut value = counters(object.kind, &object.counters);
    let mut put = |name: &str, what: Value| value.insert(name.to_owned(), what);
    match object.kind {
        Kind::Channel => {
            put("channel", object.channel.into());
            put("capacity", object.size.into());
        }
        Kind::Engine => {
            put("channel", object.channel.into());
        }
        Kind::Area => {
            put("area", object.area.into());
            put("bytes", object.size.into());
        }
        Kind::Socket => {
            put("descriptor", object.descriptor.into());
            put("inode", object.size.into());
            put("area", object.area.into());
            put("channel", object.channel.into());
        }
    }
    if object.kind != Kind::Area {
        put("engine", object.engine.into());
    }
    put("reason", text(&object.reason).into());
    Value::Object(value)
}
