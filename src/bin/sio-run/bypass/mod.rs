//! --local-bypass: TCP between programs that are run this way does not go through TCP. See
//! sio_preload(7).
//!
//! The run gets a control group of its own (`group.rs`), to which three programs of the kernel's are
//! attached (`kernel.rs`, bypass.c). What holds them is held by a process beside the run, the keeper
//! (`keeper.rs`), so that the program can take the place of sio-run; it ends with the last process of
//! the run, and then nothing is left. A run that finds the programs of another one in the kernel
//! uses those: so the two have one table, and their programs reach each other.
#![forbid(unsafe_code)]

mod group;
mod keeper;
mod kernel;
mod table;
mod trial;

use std::ffi::OsString;

use nix::sys::wait::{WaitStatus, waitpid};

use group::Group;
use kernel::Kernel;
use table::Table;

/// How the preloaded object learns of it, and where it gets the table, if anywhere.
const VARIABLE: &str = "SIO_BYPASS";

/// Set up, with nothing in it yet.
pub struct Bypass {
    group: Group,
    kernel: Kernel,
    /// Ends of connections that were not the program's.
    of_trial: u64,
    table: String,
    /// While this is open the keeper knows that the program may still come.
    _alive: keeper::Alive,
}

impl Bypass {
    /// Or why not, in words.
    pub fn set_up() -> Result<Self, String> {
        let root = group::mount()?;
        // Two that begin at once would not find each other.
        let turn = group::lock(&root)?;
        group::sweep(&root);
        let group = Group::new(&root)?;
        let kernel = Self::prepare(&group).inspect_err(|_| group.remove());
        let mut kernel = kernel?;
        let of_trial = kernel.tally(group.number()).joined;
        // Without it the kernel is asked instead.
        let table = kernel.passed().and_then(Table::new).ok();
        let name = table.as_ref().map_or("", Table::name).to_owned();
        let alive = keeper::start(&group, &mut kernel, table).inspect_err(|_| group.remove())?;
        drop(turn);
        Ok(Self { group, kernel, of_trial, table: name, _alive: alive })
    }

    /// What another run has, if it works: that run may be about to end.
    fn prepare(group: &Group) -> Result<Kernel, String> {
        let shared = Kernel::find(group)?;
        if let Some(shared) = shared
            && try_out(group).is_ok()
        {
            return Ok(shared);
        }
        let kernel = Kernel::load(group)?;
        try_out(group)?;
        Ok(kernel)
    }

    /// The calling process and what it starts belong to the run from now on.
    pub fn enter(&self) -> Result<(), String> {
        self.group.enter()
    }

    pub fn variable(&self) -> (OsString, OsString) {
        (VARIABLE.into(), self.table.clone().into())
    }

    /// What came of it, in words.
    pub fn tell(&self) -> String {
        let counts = self.kernel.tally(self.group.number());
        let joined = counts.joined.saturating_sub(self.of_trial);
        let ends = if joined == 1 { "end" } else { "ends" };
        let mut text = format!("TCP: {joined} {ends} of connections bypassed it");
        if counts.by_tcp > 0 {
            text += &format!(
                "; {} did not: the other end is not run this way, or the connection began with data",
                counts.by_tcp
            );
        }
        text
    }
}

/// What the kernel says it can do is not enough: a connection of our own has to behave as one of
/// TCP.
fn try_out(group: &Group) -> Result<(), String> {
    let child = super::system::fork(|| trial::run(|| group.enter()));
    match child.and_then(|child| waitpid(child, None)) {
        Ok(WaitStatus::Exited(_, 0)) => Ok(()),
        Ok(WaitStatus::Exited(_, status)) => Err(trial::reason(status)),
        other => Err(format!("the trial: {other:?}")),
    }
}
