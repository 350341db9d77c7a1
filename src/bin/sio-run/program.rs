//! What kind of program it is that is to be run: whether the loader will preload anything into it.
//! execve(2), elf(5), ld.so(8).
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access, getegid, geteuid, getuid};
use object::elf::{ELFCLASS64, FileHeader64, PT_INTERP, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, ReadCache, ReadRef};

use super::{Failure, system};

/// What a shell says of a program that is not there, and of one that cannot be run.
pub const MISSING: u8 = 127;
pub const UNUSABLE: u8 = 126;
/// As many interpreters of interpreters as the kernel follows.
const DEPTH_MAX: usize = 5;
const ELF_MAGIC: &[u8] = b"\x7fELF";
const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;

/// Finds the program as a shell does.
pub fn find(name: &OsStr) -> Result<PathBuf, Failure> {
    let shown = name.to_string_lossy();
    if name.as_bytes().contains(&b'/') {
        return usable(Path::new(name)).map(|()| PathBuf::from(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let mut refusal = Failure::new(MISSING, format!("{shown}: not found"));
    if name.is_empty() {
        return Err(refusal);
    }
    for directory in std::env::split_paths(&path) {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { &directory };
        let candidate = directory.join(name);
        match usable(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(failure) if failure.status == UNUSABLE && refusal.status == MISSING => {
                refusal = failure;
            }
            Err(_) => {}
        }
    }
    Err(refusal)
}

/// Whether the kernel would run the file, as far as can be told without running it.
fn usable(path: &Path) -> Result<(), Failure> {
    let fail = |error: &io::Error| {
        let is_missing =
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        let status = if is_missing { MISSING } else { UNUSABLE };
        Failure::new(status, format!("{}: {}", path.display(), reason(error)))
    };
    let metadata = fs::metadata(path).map_err(|error| fail(&error))?;
    if metadata.is_dir() {
        return Err(Failure::new(UNUSABLE, format!("{}: is a directory", path.display())));
    }
    access(path, AccessFlags::X_OK).map_err(|errno| fail(&errno.into()))
}

/// An error in the words of the C library, without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Why nothing can be loaded into a program, or how it can.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Nature {
    Loads,
    /// What is loaded does not see its sockets: Go makes its own system calls.
    Go,
    /// In words, for who has started it.
    Refuses(String),
}

/// Looks into the file, and into the interpreter that the kernel runs in its place.
pub fn examine(path: &Path) -> Result<Nature, Failure> {
    let mut path = path.to_path_buf();
    for depth in 0..DEPTH_MAX {
        // What cannot be read can be run all the same, and the loader says no word about it.
        let Ok((head, mut file)) = open(&path) else { return Ok(Nature::Loads) };
        if let Some(interpreter) = interpreter_of_script(&head) {
            path = check_interpreter(&path, interpreter)?;
            continue;
        }
        if !head.starts_with(ELF_MAGIC) {
            // The kernel does not know it: a shell runs it as a script.
            if depth > 0 {
                return Ok(Nature::Loads);
            }
            path = PathBuf::from(SHELL);
            continue;
        }
        let metadata = file.metadata().map_err(|error| Failure::of(&path, &error))?;
        if let Some(why) = privileges(&path, &metadata) {
            return Ok(Nature::Refuses(format!("{} {why}", path.display())));
        }
        return examine_binary(&path, &head, &mut file);
    }
    Ok(Nature::Loads)
}

/// Whether a file that the kernel does not run is a program for something else.
pub fn is_binary(path: &Path) -> bool {
    open(path).is_ok_and(|(head, _)| head.starts_with(ELF_MAGIC))
}

/// What runs a file that is neither a program nor a script with an interpreter.
pub const SHELL: &str = "/bin/sh";

fn open(path: &Path) -> io::Result<(Vec<u8>, File)> {
    let mut file = File::open(path)?;
    let mut head = Vec::new();
    Read::by_ref(&mut file).take(256).read_to_end(&mut head)?;
    Ok((head, file))
}

fn interpreter_of_script(head: &[u8]) -> Option<PathBuf> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    words.next().map(|word| PathBuf::from(OsString::from_vec(word.to_vec())))
}

fn check_interpreter(path: &Path, interpreter: PathBuf) -> Result<PathBuf, Failure> {
    match usable(&interpreter) {
        Ok(()) => Ok(interpreter),
        Err(failure) => {
            let text = format!("{}: its interpreter {}", path.display(), failure.text);
            Err(Failure::new(failure.status, text))
        }
    }
}

/// A program that gets rights which who starts it does not have: the loader is careful then.
fn privileges(path: &Path, metadata: &Metadata) -> Option<String> {
    let changes_user = metadata.mode() & SET_USER != 0 && metadata.uid() != geteuid().as_raw();
    let changes_group = metadata.mode() & SET_GROUP != 0 && metadata.gid() != getegid().as_raw();
    let what = if changes_user {
        "is set-user-ID"
    } else if changes_group {
        "is set-group-ID"
    } else if !getuid().is_root() && system::has_capabilities(path) {
        "has capabilities"
    } else {
        return None;
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Some(format!(
        "{what}, and the loader preloads nothing then; run sio-run as the other user: {name} ... sio-run PROGRAM"
    ))
}

fn examine_binary(path: &Path, head: &[u8], file: &mut File) -> Result<Nature, Failure> {
    let refuses = |why: &str| Ok(Nature::Refuses(format!("{} {why}", path.display())));
    let class = head.get(4).copied().unwrap_or_default();
    if class != ELFCLASS64 {
        return refuses("is a program of another word size, for which there is no libsio here");
    }
    let bad = |_| Failure::new(UNUSABLE, format!("{}: not a sound ELF file", path.display()));
    let data = ReadCache::new(file);
    let header = FileHeader64::<Endianness>::parse(&data).map_err(bad)?;
    let endian = header.endian().map_err(bad)?;
    if header.e_machine(endian) != system::MACHINE {
        return refuses("is a program for another processor");
    }
    let segments = header.program_headers(endian, &data).map_err(bad)?;
    let Some(segment) = segments.iter().find(|segment| segment.p_type(endian) == PT_INTERP) else {
        return refuses("is linked statically, and nothing can be loaded into it");
    };
    let loader = segment.interpreter(endian, &data).map_err(bad)?.unwrap_or_default();
    let loader = PathBuf::from(OsString::from_vec(loader.to_vec()));
    let loader = check_interpreter(path, loader)?;
    // musl's loader would load the library, which needs another C library than it has.
    if loader.file_name().is_some_and(|name| name.as_bytes().starts_with(b"ld-musl")) {
        return refuses("uses another C library than libsio does");
    }
    let is_go = segments.iter().any(|segment| has_note_of_go(segment, endian, &data));
    Ok(if is_go { Nature::Go } else { Nature::Loads })
}

/// Go's linker leaves the number of the build in each program, in a note of this name.
fn has_note_of_go<'data>(
    segment: &ProgramHeader64<Endianness>,
    endian: Endianness,
    data: impl ReadRef<'data>,
) -> bool {
    let Ok(Some(mut notes)) = segment.notes(endian, data) else { return false };
    std::iter::from_fn(|| notes.next().ok().flatten()).any(|note| note.name() == b"Go")
}
