//! The programs of the kernel's that pass data from socket to socket, and what they count.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::os::fd::{AsFd, OwnedFd};

use aya::maps::{HashMap, Map, MapData, MapInfo, SockHash};
use aya::programs::cgroup_sockopt::CgroupSockoptAttachType;
use aya::programs::{
    CgroupAttachMode, CgroupSockopt, Program, ProgramInfo, SkMsg, SockOps, loaded_programs,
};
use aya::{Ebpf, include_bytes_aligned};
use nix::errno::Errno;

use super::super::system;
use super::group::Group;

/// Made from bypass.c.
static OBJECT: &[u8] = include_bytes_aligned!("bypass.o");

const STATE: &str = "sio_state";
const OPTION: &str = "sio_option";
const MESSAGE: &str = "sio_message";
const SOCKETS: &str = "SOCKETS";
const RUNS: &str = "RUNS";
const PASSED: &str = "PASSED";

/// Ends of connections of a run: `struct tally` of bypass.c.
#[derive(Default)]
pub struct Tally {
    pub joined: u64,
    pub by_tcp: u64,
}

pub struct Kernel {
    /// Ours, or those of a run that was here before.
    _state: SockOps,
    _option: CgroupSockopt,
    /// The program that messages go through leaves the table with the last descriptor of it.
    _sockets: MapData,
    runs: HashMap<MapData, u64, [u64; 2]>,
    /// The table that programs look at.
    passed: MapData,
}

/// What has gone wrong, with the kernel's reason rather than the library's.
fn told(error: &dyn std::error::Error) -> String {
    let mut last = error;
    let mut text = error.to_string();
    while let Some(source) = last.source() {
        text = source.to_string();
        last = source;
    }
    let first = error.to_string();
    let text = if first.contains(&text) { first } else { format!("{first}: {text}") };
    text.lines().next().unwrap_or_default().to_owned()
}

impl Kernel {
    /// Attaches the programs of another run to the group, if there are any that are the same.
    pub fn find(group: &Group) -> Result<Option<Self>, String> {
        let mut ours = Ebpf::load(OBJECT).map_err(|error| told(&error))?;
        load_for_groups(&mut ours)?;
        let mut options = theirs(&ours, OPTION);
        for (number, state) in theirs(&ours, STATE) {
            // Those of one run: of another version's one of them may be the same.
            if let Some(at) = options.iter().position(|(other, _)| *other == number) {
                let (_, option) = options.swap_remove(at);
                return Self::attach(group, state, option).map(Some);
            }
        }
        Ok(None)
    }

    /// Loads the programs, and attaches them to the group.
    pub fn load(group: &Group) -> Result<Self, String> {
        let mut ours = Ebpf::load(OBJECT).map_err(|error| told(&error))?;
        load_for_groups(&mut ours)?;
        program::<SkMsg>(&mut ours, MESSAGE)?.load().map_err(|error| refused(&error))?;
        attach_to_sockets(&mut ours)?;
        freeze_passed(&ours)?;
        Self::attach(group, info(&ours, STATE)?, info(&ours, OPTION)?)
    }

    fn attach(group: &Group, state: ProgramInfo, option: ProgramInfo) -> Result<Self, String> {
        let (_, sockets) = map(&state, SOCKETS)?;
        let (_, runs) = map(&state, RUNS)?;
        let runs = HashMap::try_from(Map::HashMap(runs)).map_err(|error| told(&error))?;
        let (_, passed) = map(&state, PASSED)?;
        let mut state = SockOps::from_program_info(state, Cow::Borrowed(STATE))
            .map_err(|error| told(&error))?;
        let kind = CgroupSockoptAttachType::Set;
        let mut option = CgroupSockopt::from_program_info(option, Cow::Borrowed(OPTION), kind)
            .map_err(|error| told(&error))?;
        // A link, which goes with the last descriptor of it; others may be attached as well.
        state.attach(group, CgroupAttachMode::Single).map_err(|error| told(&error))?;
        option.attach(group, CgroupAttachMode::Single).map_err(|error| told(&error))?;
        Ok(Self { _state: state, _option: option, _sockets: sockets, runs, passed })
    }

    pub fn tally(&self, group: u64) -> Tally {
        let [joined, by_tcp] = self.runs.get(&group, 0).unwrap_or_default();
        Tally { joined, by_tcp }
    }

    /// The table of sockets that have nothing by TCP, to which nobody can write who has it.
    pub fn passed(&self) -> Result<OwnedFd, Errno> {
        self.passed.fd().as_fd().try_clone_to_owned().map_err(|_| Errno::EMFILE)
    }

    /// Nobody asks for the counts of a run any more.
    pub fn forget(&mut self, group: u64) {
        let _ = self.runs.remove(&group);
    }
}

fn refused(error: &dyn std::error::Error) -> String {
    format!("a program of the kernel's: {}", told(error))
}

fn load_for_groups(object: &mut Ebpf) -> Result<(), String> {
    program::<SockOps>(object, STATE)?.load().map_err(|error| refused(&error))?;
    program::<CgroupSockopt>(object, OPTION)?.load().map_err(|error| refused(&error))
}

fn program<'a, P>(object: &'a mut Ebpf, name: &str) -> Result<&'a mut P, String>
where
    &'a mut P: TryFrom<&'a mut Program>,
{
    let program = object.program_mut(name).ok_or_else(|| format!("no program {name}"))?;
    program.try_into().map_err(|_| format!("{name} is another kind of program"))
}

fn info(object: &Ebpf, name: &str) -> Result<ProgramInfo, String> {
    let program = object.program(name).ok_or_else(|| format!("no program {name}"))?;
    program.info().map_err(|error| told(&error))
}

/// The same program, as often as it was loaded before, each with the number of its table of runs.
fn theirs(ours: &Ebpf, name: &str) -> Vec<(u32, ProgramInfo)> {
    let Ok(own) = info(ours, name) else { return Vec::new() };
    loaded_programs()
        .flatten()
        .filter(|other| {
            other.name() == name.as_bytes() && other.tag() == own.tag() && other.id() != own.id()
        })
        .filter_map(|other| Some((map(&other, RUNS).ok()?.0, other)))
        .collect()
}

/// The program that messages go through is a part of the table, and lives as long.
fn attach_to_sockets(object: &mut Ebpf) -> Result<(), String> {
    let table = object.map(SOCKETS).ok_or("no table of sockets")?;
    let table = SockHash::<_, u64>::try_from(table).map_err(|error| told(&error))?;
    let table = table.fd().try_clone().map_err(|error| told(&error))?;
    let message = program::<SkMsg>(object, MESSAGE)?;
    let link = message.attach(&table).map_err(|error| told(&error))?;
    // Taken out, so that it is not undone at our end: others may use the table.
    let link = message.take_link(link).map_err(|error| told(&error))?;
    std::mem::forget(link);
    Ok(())
}

/// It can be done once: a run that shares the table finds that it has been.
fn freeze_passed(object: &Ebpf) -> Result<(), String> {
    match object.map(PASSED) {
        Some(Map::Array(table)) => system::freeze(&table.fd()).map_err(|error| told(&error)),
        _ => Err("no table of receivers".to_owned()),
    }
}

/// A table of a program's, with its number.
fn map(program: &ProgramInfo, name: &str) -> Result<(u32, MapData), String> {
    let numbers = program.map_ids().map_err(|error| told(&error))?.unwrap_or_default();
    for number in numbers {
        let info = MapInfo::from_id(number).map_err(|error| told(&error))?;
        if info.name() == name.as_bytes() {
            return Ok((number, MapData::from_id(number).map_err(|error| told(&error))?));
        }
    }
    Err(format!("the programs have no table {name}"))
}
