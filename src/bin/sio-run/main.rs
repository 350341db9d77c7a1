//! Runs a program that knows nothing of libsio with what the library can do for it. See sio-run(1).
//!
//! It takes the program's place with execve(2), so that process id, signals and exit status are the
//! program's. With --explain it stays, as the parent: then it passes signals on, and ends as the
//! program has ended.

mod bypass;
mod explain;
mod options;
mod preload;
mod program;
mod stay;
mod system;
mod udp;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::errno::Errno;

use bypass::Bypass;
use explain::Report;
use options::Options;
use program::Nature;

/// Why the program does not run, and the exit status that tells it.
pub struct Failure {
    pub status: u8,
    pub text: String,
}

impl Failure {
    pub fn new(status: u8, text: String) -> Self {
        Self { status, text }
    }

    pub fn of(path: &Path, error: &io::Error) -> Self {
        Self::new(program::UNUSABLE, format!("{}: {}", path.display(), program::reason(error)))
    }
}

fn main() -> ExitCode {
    let options = match options::read() {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sio-run: {error}\n{}", options::HELP);
            return ExitCode::from(preload::FAILED);
        }
    };
    match run(&options) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            eprintln!("sio-run: {}", failure.text);
            ExitCode::from(failure.status)
        }
    }
}

/// What is to be run, and how.
struct Launch {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

/// The exit status of a program whose end was waited for.
fn run(options: &Options) -> Result<u8, Failure> {
    let path = program::find(&options.program)?;
    let nature = if is_switched_off() {
        Nature::Refuses(format!("{}=off is set: nothing is loaded", preload::SWITCH))
    } else {
        program::examine(&path)?
    };
    if nature == Nature::Go && (options.udp || options.local_bypass) {
        let why = "is written in Go, which makes its own system calls for its sockets";
        let why = format!("{} {why}", path.display());
        if options.require {
            return Err(Failure::new(program::UNUSABLE, why));
        }
        eprintln!("sio-run: {why}: they are as without sio-run");
    }
    let objects = match &nature {
        Nature::Loads | Nature::Go => Some(preload::find()?),
        Nature::Refuses(why) if options.require => {
            return Err(Failure::new(program::UNUSABLE, why.clone()));
        }
        Nature::Refuses(why) => {
            eprintln!("sio-run: {why}; it runs as it does without sio-run");
            None
        }
    };
    let mut changed = preload::environment(options, objects.as_ref());
    let bypass = bypass(options, objects.is_some())?;
    changed.extend(bypass.as_ref().map(Bypass::variable));
    let datagrams = datagrams(options, objects.is_some())?;
    changed.extend(datagrams.is_ok().then(|| (udp::VARIABLE.into(), "1".into())));
    if !options.explain {
        let launch = Launch::new(options, path, changed);
        return Err(launch.execute(bypass.as_ref()));
    }
    let report = Report::new().map_err(|errno| {
        Failure::new(preload::FAILED, format!("no memory for a report: {}", errno.desc()))
    })?;
    changed.extend(report.variable());
    explain::before(options, &path, objects.as_ref(), bypass.is_some(), &datagrams);
    let launch = Launch::new(options, path, changed);
    let status = stay::run(|| {
        let failure = launch.execute(bypass.as_ref());
        eprintln!("sio-run: {}", failure.text);
        failure.status
    })
    .map_err(|errno| Failure::new(preload::FAILED, errno.desc().to_owned()))?;
    report.tell();
    explain::bypassed(bypass.as_ref());
    Ok(status.pass_on())
}

/// What --local-bypass needs, if it is asked for and can be had.
fn bypass(options: &Options, loads: bool) -> Result<Option<Bypass>, Failure> {
    if !options.local_bypass || !loads {
        return Ok(None);
    }
    match Bypass::set_up() {
        Ok(bypass) => Ok(Some(bypass)),
        Err(reason) if options.require => {
            Err(Failure::new(preload::FAILED, format!("--local-bypass: {reason}")))
        }
        Err(reason) => {
            eprintln!("sio-run: --local-bypass: {reason}; connections go through TCP");
            Ok(None)
        }
    }
}

/// The interfaces that --udp can use, or why UDP is as without sio-run.
fn datagrams(
    options: &Options,
    loads: bool,
) -> Result<Result<Vec<String>, Option<String>>, Failure> {
    if !options.udp || !loads {
        return Ok(Err(None));
    }
    match udp::interfaces() {
        Ok(names) => Ok(Ok(names)),
        Err(reason) if options.require => {
            Err(Failure::new(preload::FAILED, format!("--udp: {reason}")))
        }
        Err(reason) => Ok(Err(Some(reason))),
    }
}

fn is_switched_off() -> bool {
    std::env::var_os(preload::SWITCH).is_some_and(|value| value == "off")
}

impl Launch {
    fn new(options: &Options, path: PathBuf, changed: Vec<(OsString, OsString)>) -> Self {
        let kept =
            std::env::vars_os().filter(|(name, _)| changed.iter().all(|(other, _)| other != name));
        let environment = kept.chain(changed.iter().cloned()).collect();
        let mut arguments = vec![options.program.clone()];
        arguments.extend(options.arguments.iter().cloned());
        Self { path, arguments, environment }
    }

    /// Returns only if the program does not run.
    fn execute(&self, bypass: Option<&Bypass>) -> Failure {
        if let Some(Err(reason)) = bypass.map(Bypass::enter) {
            return Failure::new(preload::FAILED, format!("--local-bypass: {reason}"));
        }
        let mut errno = system::execute(&self.path, &self.arguments, &self.environment);
        if errno == Errno::ENOEXEC && !program::is_binary(&self.path) {
            let mut arguments = self.arguments.clone();
            arguments.insert(1, self.path.clone().into());
            errno = system::execute(Path::new(program::SHELL), &arguments, &self.environment);
        }
        let status = if errno == Errno::ENOENT { program::MISSING } else { program::UNUSABLE };
        let text = format!("{}: {}", self.path.display(), errno.desc().to_lowercase());
        Failure::new(status, text)
    }
}
