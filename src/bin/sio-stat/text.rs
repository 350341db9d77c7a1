//! The numbers for people: so far, or a second.
#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::time::Duration;

use sio::sys::stat::layout::{COUNTERS, KINDS, Kind, socket};
use sio::sys::stat::reader::Object;

use super::processes::Process;

/// Sockets of a process that one screen shows: the busiest.
const SOCKETS_MAX: usize = 12;

/// The counters of an earlier look, and how long ago that was.
type Earlier<'a> = Option<(&'a [Process], Duration)>;

pub fn screen(found: &[Process], earlier: Earlier<'_>, all: bool) -> String {
    if found.is_empty() {
        return "no process uses libsio\n".to_owned();
    }
    let mut text = String::new();
    for process in found {
        let before = earlier.and_then(|(processes, time)| {
            let same = processes.iter().find(|before| before.id == process.id)?;
            Some((same, time))
        });
        text += &one(process, before, all);
    }
    text
}

fn one(process: &Process, before: Option<(&Process, Duration)>, all: bool) -> String {
    let how = if before.is_some() { "a second" } else { "so far" };
    let Process { id, name, library, requests, behind, hidden, .. } = process;
    let mut text = format!("{id} {name}, libsio {library}, {how}\n");
    if requests.iter().any(|count| *count > 0) {
        let [at_once, by_ring, by_threads] = requests;
        text += &format!(
            "  POSIX AIO in all: {at_once} at once, {by_ring} by the ring, {by_threads} by threads"
        );
        text += &if behind.is_empty() { "\n".to_owned() } else { format!(" ({behind})\n") };
    }
    for kind in KINDS {
        let mut rows: Vec<(&Object, [u64; COUNTERS])> =
            process.of(kind).map(|object| (object, counted(object, before))).collect();
        let mut left = 0;
        if kind == Kind::Socket && !all && rows.len() > SOCKETS_MAX {
            let bytes = |counters: &[u64; COUNTERS]| {
                counters[socket::SENT_BYTES].saturating_add(counters[socket::RECEIVED_BYTES])
            };
            rows.sort_by_key(|(_, counters)| Reverse(bytes(counters)));
            left = rows.len() - SOCKETS_MAX;
            rows.truncate(SOCKETS_MAX);
        }
        text += &table(kind, &rows);
        if left > 0 {
            text += &format!("  and {left} more sockets\n");
        }
        if before.is_none() && has_past(process, kind) {
            text += &line("  all", kind, &process.total(kind), "with those that have gone");
        }
    }
    if *hidden > 0 {
        text += &format!("  {hidden} more are counted for, but cannot be seen\n");
    }
    text + "\n"
}

fn has_past(process: &Process, kind: Kind) -> bool {
    let present = process.of(kind).fold([0u64; COUNTERS], |mut sum, object| {
        for (sum, count) in sum.iter_mut().zip(object.counters) {
            *sum = sum.wrapping_add(count);
        }
        sum
    });
    process.total(kind) != present
}

/// What an object has counted: in all, or a second since an earlier look.
fn counted(object: &Object, before: Option<(&Process, Duration)>) -> [u64; COUNTERS] {
    let Some((process, time)) = before else { return object.counters };
    let is_same = |other: &&Object| {
        (other.kind, other.channel, other.descriptor, other.area, other.size, other.engine)
            == (
                object.kind,
                object.channel,
                object.descriptor,
                object.area,
                object.size,
                object.engine,
            )
    };
    let earlier = process.objects.iter().find(is_same).map_or([0; COUNTERS], |same| same.counters);
    std::array::from_fn(|number| {
        let since = object.counters[number].saturating_sub(earlier[number]);
        (since as f64 / time.as_secs_f64()).round() as u64
    })
}

fn heading(kind: Kind) -> &'static str {
    match kind {
        Kind::Channel => "  channel",
        Kind::Engine => "  engine",
        Kind::Area => "  area",
        Kind::Socket => "  socket",
    }
}

fn label(object: &Object) -> String {
    let channel = object.channel.map_or(String::new(), |channel| channel.to_string());
    match object.kind {
        Kind::Channel => format!("  {channel}"),
        Kind::Engine => format!("  {} of {channel}", object.engine),
        Kind::Area => format!("  {}B", short(object.size)),
        Kind::Socket if channel.is_empty() => format!("  {}", object.descriptor),
        Kind::Socket => format!("  {} {} in {channel}", object.descriptor, object.engine),
    }
}

fn table(kind: Kind, rows: &[(&Object, [u64; COUNTERS])]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!("{:<22}", heading(kind));
    for name in kind.counters() {
        text += &format!(" {:>12}", short_name(name));
    }
    text.push('\n');
    for (object, counters) in rows {
        text += &line(&label(object), kind, counters, &object.reason);
    }
    text
}

fn line(label: &str, kind: Kind, counters: &[u64; COUNTERS], remark: &str) -> String {
    let mut text = format!("{label:<22}");
    for value in &counters[..kind.counters().len()] {
        text += &format!(" {:>12}", short(*value));
    }
    if !remark.is_empty() {
        text += &format!("  {remark}");
    }
    text + "\n"
}

/// The name of a counter in a narrow column.
fn short_name(name: &str) -> String {
    let name =
        name.replace("_bytes", "").replace("system_calls", "calls").replace("received", "recv");
    name.replace("zero_copy_", "zc ").replace('_', " ")
}

/// A number with at most five digits and a unit.
fn short(value: u64) -> String {
    const UNITS: [&str; 6] = ["", "k", "M", "G", "T", "P"];
    let (mut rest, mut unit) = (value as f64, 0);
    while rest >= 99_999.5 && unit + 1 < UNITS.len() {
        rest /= 1000.0;
        unit += 1;
    }
    format!("{rest:.0}{}", UNITS[unit])
}
