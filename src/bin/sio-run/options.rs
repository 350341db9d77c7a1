//! The command line of sio-run.
#![forbid(unsafe_code)]

use std::ffi::OsString;

use sio::api::engines::KINDS;

pub const HELP: &str = "\
usage: sio-run [OPTIONS] [--] PROGRAM [ARGUMENT...]
Runs a program that knows nothing of libsio with what libsio can do for it.

  --engine LIST  the engines, in the order of preference, separated by commas
  --local-bypass connections between programs that are run with this option, on
                 this host, bypass TCP
  --udp          UDP sockets that are busy are served by AF_XDP
  --require      fail where less is to be had than was asked for
  --explain      tell on standard error what is done for the program, and what came of it
  --help         print this text
  --version      print the version
";

/// What there is to do.
pub struct Options {
    pub engines: Option<String>,
    pub local_bypass: bool,
    pub udp: bool,
    pub require: bool,
    pub explain: bool,
    pub program: OsString,
    pub arguments: Vec<OsString>,
}

/// `None` when everything has been said already.
pub fn read() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::{Long, Value, ValueExt};
    let mut engines = None;
    let (mut local_bypass, mut udp) = (false, false);
    let (mut require, mut explain) = (false, false);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("engine") => engines = Some(checked(parser.value()?.string()?)?),
            Long("local-bypass") => local_bypass = true,
            Long("require") => require = true,
            Long("explain") => explain = true,
            Long("udp") => udp = true,
            Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            Long("version") => {
                println!("sio-run {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            Value(program) => {
                let arguments = parser.raw_args()?.collect();
                return Ok(Some(Options {
                    engines,
                    local_bypass,
                    udp,
                    require,
                    explain,
                    program,
                    arguments,
                }));
            }
            other => return Err(other.unexpected()),
        }
    }
    Err("there is no PROGRAM".into())
}

/// The list, if each engine in it exists.
fn checked(list: String) -> Result<String, lexopt::Error> {
    let is_known = |name: &str| KINDS.iter().any(|kind| kind.name() == name);
    match list.split(',').map(str::trim).find(|name| !is_known(name)) {
        None => Ok(list),
        Some(name) => {
            let known: Vec<&str> = KINDS.iter().map(|kind| kind.name()).collect();
            Err(format!("--engine: no engine {name:?}; there are {}", known.join(", ")).into())
        }
    }
}
