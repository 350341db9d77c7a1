//! Tells which engines work here, and why not. See sio-probe(1).
#![forbid(unsafe_code)]

use std::process::ExitCode;

use serde_json::{Value, json};
use sio::api::engines::{Capability, KINDS, Kind, Support};
use sio::port::af_xdp::{Verdict, survey};

const HELP: &str = "\
usage: sio-probe [--json]
Tells which engines of libsio work here, what they can do, and why not.

  --json     print one JSON object
  --help     print this text
  --version  print the version
";

fn main() -> ExitCode {
    match options() {
        Ok(Some(json)) => {
            print!("{}", if json { as_json() } else { as_text() });
            let works = KINDS.iter().any(|kind| kind.check().is_ok());
            if works { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sio-probe: {error}\n{HELP}");
            ExitCode::from(2)
        }
    }
}

/// Whether JSON is wanted; `None` when everything has been said already.
fn options() -> Result<Option<bool>, lexopt::Error> {
    use lexopt::prelude::Long;
    let mut json = false;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("json") => json = true,
            Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            Long("version") => {
                println!("sio-probe {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(json))
}

fn level(support: Support) -> &'static str {
    match support {
        Support::Native => "native",
        Support::Emulated => "emulated",
        Support::No => "no",
    }
}

/// What an engine can do, if it works at all.
fn capabilities(kind: Kind) -> Vec<Capability> {
    if kind.check().is_ok() { kind.capabilities() } else { Vec::new() }
}

/// The network interfaces, for an engine that works on one.
fn interfaces(kind: Kind) -> Vec<Verdict> {
    let works = kind == Kind::AfXdp && kind.check().is_ok();
    if works { survey().unwrap_or_default() } else { Vec::new() }
}

fn as_text() -> String {
    let mut text = String::new();
    for kind in KINDS {
        let verdict = match kind.check() {
            Ok(()) => "works".to_string(),
            Err(refusal) => format!("does not work: {}", refusal.cause),
        };
        text += &format!("{}: {verdict}\n", kind.name());
        for Capability { name, support, note } in capabilities(kind) {
            let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
            text += &format!("  {name:<24} {}{note}\n", level(support));
        }
        for Verdict { interface, queues } in interfaces(kind) {
            let verdict = match queues {
                Ok(1) => "1 queue".to_string(),
                Ok(count) => format!("{count} queues"),
                Err(refusal) => format!("no ({})", refusal.cause),
            };
            text += &format!("  interface {interface:<14} {verdict}\n");
        }
    }
    text
}

fn as_json() -> String {
    let engines: Vec<Value> = KINDS.into_iter().map(engine).collect();
    format!("{:#}\n", json!({ "engines": engines }))
}

fn engine(kind: Kind) -> Value {
    let refusal = kind.check().err();
    let capabilities: Vec<Value> = capabilities(kind)
        .iter()
        .map(|capability| {
            json!({
                "name": capability.name,
                "level": level(capability.support),
                "reason": Some(capability.note).filter(|note| !note.is_empty()),
            })
        })
        .collect();
    json!({
        "name": kind.name(),
        "usable": refusal.is_none(),
        "errno": refusal.as_ref().map(|refusal| refusal.errno as i32),
        "error": refusal.as_ref().map(|refusal| format!("{:?}", refusal.errno)),
        "cause": refusal.as_ref().map(|refusal| &refusal.cause),
        "capabilities": capabilities,
        "interfaces": interfaces(kind).into_iter().map(interface).collect::<Vec<Value>>(),
    })
}

fn interface(verdict: Verdict) -> Value {
    let refusal = verdict.queues.as_ref().err();
    json!({
        "name": verdict.interface,
        "queues": verdict.queues.as_ref().ok(),
        "errno": refusal.map(|refusal| refusal.errno as i32),
        "cause": refusal.map(|refusal| &refusal.cause),
    })
}
