//! The environment of the program: what the loader is to load into it, and what it finds there.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::Failure;
use super::options::Options;

/// sio-run itself has failed, as env(1) has it.
pub const FAILED: u8 = 125;
/// With the value `off`, nothing is loaded.
pub const SWITCH: &str = "SIO_PRELOAD";
const SHIM: &str = "libsio_preload.so";
const PRELOADED: &str = "LD_PRELOAD";
const SANITIZER: &str = "ASAN_OPTIONS";
/// The address sanitizer refuses to be anything but the first library.
const SANITIZER_OPTION: &str = "verify_asan_link_order=0";

/// What the loader loads, first things first.
pub struct Objects {
    pub shim: PathBuf,
    pub library: PathBuf,
}

/// Finds both beside the program itself, where cargo has built them, or below the same prefix.
pub fn find() -> Result<Objects, Failure> {
    let fail = |text: String| Failure::new(FAILED, text);
    let program = std::env::current_exe().map_err(|error| fail(format!("itself: {error}")))?;
    let directory = program.parent().unwrap_or(Path::new("/"));
    let objects = built(directory).or_else(|| installed(directory)).ok_or_else(|| {
        fail(format!(
            "no {SHIM} with its library: not beside {}, nor below its prefix",
            program.display()
        ))
    })?;
    for path in [&objects.shim, &objects.library] {
        if path.as_os_str().as_bytes().iter().any(|byte| b": ".contains(byte)) {
            let why = "the loader cannot be told of a path with a space or a colon";
            return Err(fail(format!("{}: {why}", path.display())));
        }
    }
    Ok(objects)
}

/// cargo leaves what it builds for tests in `deps`, and copies some of it one level up.
fn built(directory: &Path) -> Option<Objects> {
    let newest = |name: &str| {
        let places = [directory.join(name), directory.join("deps").join(name)];
        let modified = |path: &PathBuf| path.metadata().and_then(|file| file.modified()).ok();
        places.into_iter().filter(|path| path.is_file()).max_by_key(modified)
    };
    Some(Objects { shim: newest(SHIM)?, library: newest("libsio.so")? })
}

fn installed(directory: &Path) -> Option<Objects> {
    let prefix = directory.parent()?;
    let triplet = format!("lib/{}-linux-gnu", std::env::consts::ARCH);
    ["lib", "lib64", triplet.as_str()].iter().find_map(|name| {
        let libraries = prefix.join(name);
        let objects = Objects {
            shim: libraries.join("libsio").join(SHIM),
            library: libraries.join("libsio.so.0"),
        };
        (objects.shim.is_file() && objects.library.is_file()).then_some(objects)
    })
}

/// The variables that differ from ours.
pub fn environment(options: &Options, objects: Option<&Objects>) -> Vec<(OsString, OsString)> {
    let mut changed = Vec::new();
    let mut set = |name: &str, value: OsString| changed.push((name.into(), value));
    if let Some(objects) = objects {
        set(PRELOADED, preloaded(objects, std::env::var_os(PRELOADED)));
        let before = std::env::var_os(SANITIZER).filter(|value| !value.is_empty());
        let before = before.map(|mut value| {
            value.push(":");
            value
        });
        let mut value = before.unwrap_or_default();
        value.push(SANITIZER_OPTION);
        set(SANITIZER, value);
    }
    if let Some(engines) = &options.engines {
        set("SIO_ENGINE", engines.into());
    }
    if options.require {
        set("SIO_REQUIRE", "1".into());
    }
    changed
}

/// Ours, and then what was preloaded before.
fn preloaded(objects: &Objects, before: Option<OsString>) -> OsString {
    let ours = [objects.shim.as_os_str(), objects.library.as_os_str()];
    let before = before.unwrap_or_default();
    let others = before
        .as_bytes()
        .split(|byte| b": ".contains(byte))
        .map(OsStr::from_bytes)
        .filter(|entry| !entry.is_empty() && !ours.contains(entry));
    let list: Vec<&[u8]> = ours.into_iter().chain(others).map(OsStr::as_bytes).collect();
    OsString::from_vec(list.join(&b':'))
}
