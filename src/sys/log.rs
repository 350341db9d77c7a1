//! What the library says when `SIO_LOG` asks for it: one line on standard error, nothing otherwise.

use std::fmt::Arguments;
use std::sync::atomic::{AtomicU8, Ordering};

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
    use Level::{Debug, Error, Info, Off, Warn};
    const UNREAD: u8 = u8::MAX;
    static LEVEL: AtomicU8 = AtomicU8::new(UNREAD);
    let known = LEVEL.load(Ordering::Relaxed);
    let found = [Off, Error, Warn, Info, Debug].into_iter().find(|level| *level as u8 == known);
    found.unwrap_or_else(|| {
        let level = match std::env::var("SIO_LOG").as_deref() {
            Ok("error") => Error,
            Ok("warn") => Warn,
            Ok("info") => Info,
            Ok("debug") => Debug,
            _ => Off,
        };
        LEVEL.swap(level as u8, Ordering::Relaxed);
        level
    })
}

/// Writes one line; a closed standard error is not our problem, so the result is ignored.
pub fn write(at: Level, text: Arguments<'_>) {
    if at <= level() {
        let name = format!("{at:?}").to_lowercase();
        let line = format!("libsio: {name}: {text}\n");
        // Not by std's handle: another thread may have had its lock when this process was forked.
        // SAFETY: so many bytes of a local.
        unsafe { libc::syscall(libc::SYS_write, libc::STDERR_FILENO, line.as_ptr(), line.len()) };
    }
}
