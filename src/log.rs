//! What the library says when `SIO_LOG` asks for it: one line on standard error, nothing otherwise.
#![forbid(unsafe_code)]

use std::fmt::Arguments;
use std::io::Write;
use std::sync::OnceLock;

/// How much is said; the variable's values are these names in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
}

/// The level that `SIO_LOG` asked for. The variable is read once.
pub fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| match std::env::var("SIO_LOG").as_deref() {
        Ok("error") => Level::Error,
        Ok("warn") => Level::Warn,
        Ok("info") => Level::Info,
        Ok("debug") => Level::Debug,
        _ => Level::Off,
    })
}

/// Writes one line; a closed standard error is not our problem, so the result is ignored.
pub fn write(at: Level, text: Arguments<'_>) {
    if at <= level() {
        let name = format!("{at:?}").to_lowercase();
        let _ = writeln!(std::io::stderr(), "libsio: {name}: {text}");
    }
}
