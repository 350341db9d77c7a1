//! Shows what libsio does in running processes. See sio-stat(1).
#![forbid(unsafe_code)]

mod json;
mod processes;
mod text;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use processes::{Process, Refused};

const HELP: &str = "\
usage: sio-stat [--once] [--json] [--interval SECONDS] [PID...]
Shows what libsio does in running processes of this user, or in those that are named.

  --once              show the numbers so far, and end
  --json              print JSON: one object, or one a line with each look
  --interval SECONDS  look so often (1)
  --help              print this text
  --version           print the version
";

const HOME_AND_CLEAR: &str = "\x1b[H\x1b[2J";
const SECONDS_MIN: f64 = 0.05;
const SECONDS_MAX: f64 = 86_400.0;

struct Options {
    once: bool,
    json: bool,
    interval: Duration,
    asked: Vec<i32>,
}

fn main() -> ExitCode {
    match options() {
        Ok(Some(options)) => run(&options),
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sio-stat: {error}\n{HELP}");
            ExitCode::from(2)
        }
    }
}

/// What is wanted; `None` when everything has been said already.
fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::{Long, Value, ValueExt};
    let interval = Duration::from_secs(1);
    let mut options = Options { once: false, json: false, interval, asked: Vec::new() };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("once") => options.once = true,
            Long("json") => options.json = true,
            Long("interval") => {
                let seconds: f64 = parser.value()?.parse()?;
                if !(SECONDS_MIN..=SECONDS_MAX).contains(&seconds) {
                    return Err("an interval has between 0.05 and 86400 seconds".into());
                }
                options.interval = Duration::from_secs_f64(seconds);
            }
            Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            Long("version") => {
                println!("sio-stat {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            Value(process) => {
                let process = process.parse()?;
                if process < 1 {
                    return Err("a process has a number above 0".into());
                }
                options.asked.push(process);
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

fn run(options: &Options) -> ExitCode {
    let mut before: Option<(Vec<Process>, Instant)> = None;
    loop {
        let now = Instant::now();
        let (found, refused) = match processes::find(&options.asked) {
            Ok(found) => found,
            Err(error) => {
                eprintln!("sio-stat: {error}");
                return ExitCode::FAILURE;
            }
        };
        if found.is_empty() && !refused.is_empty() && before.is_some() {
            // All that were named have ended.
            return ExitCode::SUCCESS;
        }
        if before.is_none() || options.once {
            tell(&refused);
        }
        let was_first = before.is_none();
        let earlier = before.as_ref().map(|(found, at)| (&found[..], now - *at));
        if show(options, &found, &refused, earlier).is_err() {
            // Nobody reads on.
            return ExitCode::SUCCESS;
        }
        if options.once || (was_first && found.is_empty() && !refused.is_empty()) {
            return if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        before = Some((found, now));
        std::thread::sleep(options.interval);
    }
}

fn tell(refused: &[Refused]) {
    for Refused { process, cause } in refused {
        eprintln!("sio-stat: {process}: {cause}");
    }
}

fn show(
    options: &Options,
    found: &[Process],
    refused: &[Refused],
    earlier: Option<(&[Process], Duration)>,
) -> io::Result<()> {
    let mut output = io::stdout().lock();
    if options.json {
        let value = json::object(found, refused);
        if options.once {
            writeln!(output, "{value:#}")?
        } else {
            writeln!(output, "{value}")?
        }
        return output.flush();
    }
    let is_live = !options.once && output.is_terminal();
    let screen = text::screen(found, earlier, options.once);
    write!(output, "{}{screen}", if is_live { HOME_AND_CLEAR } else { "" })?;
    output.flush()
}
