//! Installs the library with meson as a packager would, and uses it from there.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{PROGRAM_LIMIT, finish, has_program, output, root, scratch, skip};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const NODE: &str = "SIO_0.1";
/// Programs that end by themselves.
const EXAMPLES: &[&str] = &["hello", "notify"];

/// A release build of everything, with nothing prepared.
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);

#[test]
fn meson_installs_a_library_that_programs_can_use() {
    for program in ["meson", "ninja", "pkg-config"] {
        if !has_program(program) {
            return skip("the installation", &format!("there is no {program}"));
        }
    }
    let prefix = install();
    everything_is_there(&prefix);
    pkg_config_knows_it(&prefix);
    programs_run(&prefix);
    if cfg!(target_env = "gnu") {
        programs_can_be_preloaded(&prefix);
    }
    if cfg!(all(target_env = "gnu", target_arch = "x86_64")) {
        old_programs_get_what_they_mean(&prefix);
    }
    if has_program("nm") && has_program("readelf") {
        symbols_have_their_version(&prefix);
    } else {
        skip("the versions of the symbols", "there is no nm or no readelf");
    }
}

/// Builds and installs into an empty directory.
fn install() -> PathBuf {
    let (build, prefix) = (scratch("install").join("build"), scratch("install").join("prefix"));
    for directory in [&build, &prefix] {
        let _ = fs::remove_dir_all(directory);
    }
    let mut setup = Command::new("meson");
    setup.arg("setup").arg(&build).arg(root()).arg("--prefix").arg(&prefix);
    finish(setup.args(["--libdir", "lib"])).unwrap_or_else(|text| panic!("{text}"));
    let mut command = Command::new("meson");
    command.arg("install").arg("-C").arg(&build);
    let outcome = common::run(&mut command, BUILD_LIMIT, &scratch("install").join("log"));
    assert_eq!(outcome.code(), Some(0), "{}", outcome.output);
    prefix
}

fn shared_object(prefix: &Path) -> PathBuf {
    prefix.join(format!("lib/libsio.so.{VERSION}"))
}

fn everything_is_there(prefix: &Path) {
    let mut expected: Vec<PathBuf> =
        ["lib/libsio.a", "lib/pkgconfig/sio.pc"].iter().map(|name| prefix.join(name)).collect();
    expected.push(shared_object(prefix));
    for name in ["bin/sio-probe", "bin/sio-stat", "bin/sio-run", "lib/libsio/libsio_preload.so"] {
        expected.push(prefix.join(name));
    }
    for page in common::files(&root().join("docs/man"), &[".1", ".3", ".3sio", ".7"]) {
        let section = page.extension().unwrap_or_default().to_string_lossy();
        let directory = prefix.join(format!("share/man/man{}", &section[..1]));
        expected.push(directory.join(page.file_name().expect("a file has a name")));
    }
    let missing: Vec<&PathBuf> = expected.iter().filter(|path| !path.is_file()).collect();
    assert!(missing.is_empty(), "not installed: {missing:?}");
    for link in ["libsio.so", "libsio.so.0"] {
        let target = fs::canonicalize(prefix.join("lib").join(link)).expect("a link");
        let library = fs::canonicalize(shared_object(prefix)).expect("the library");
        assert_eq!(target, library, "{link}");
    }
    for header in common::files(&root().join("include"), &[".h"]) {
        let installed = prefix.join("include").join(header.file_name().expect("a name"));
        let same = common::read(&installed) == common::read(&header);
        assert!(same, "{} is another header", installed.display());
    }
    for name in ["bin/sio-probe", "bin/sio-stat", "bin/sio-run"] {
        finish(Command::new(prefix.join(name)).arg("--version"))
            .unwrap_or_else(|text| panic!("{text}"));
    }
}

fn pkg_config(prefix: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("pkg-config");
    command.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    output(command.args(arguments).arg("sio")).unwrap_or_else(|text| panic!("{text}"))
}

fn pkg_config_knows_it(prefix: &Path) {
    pkg_config(prefix, &["--validate"]);
    assert_eq!(pkg_config(prefix, &["--modversion"]).trim(), VERSION);
    let shown = prefix.to_string_lossy();
    assert_eq!(pkg_config(prefix, &["--variable=prefix"]).trim(), shown);
    let flags = pkg_config(prefix, &["--cflags", "--libs"]);
    for flag in [format!("-I{shown}/include"), format!("-L{shown}/lib"), "-lsio".to_owned()] {
        assert!(flags.split_whitespace().any(|word| word == flag), "no {flag} in {flags}");
    }
}

/// Examples, linked as the README says, and linked statically.
fn programs_run(prefix: &Path) {
    let flags = pkg_config(prefix, &["--cflags", "--libs"]);
    let archive = prefix.join("lib/libsio.a").to_string_lossy().into_owned();
    let of_archive = pkg_config(prefix, &["--static", "--cflags", "--libs"]);
    for example in EXAMPLES {
        compile_and_run(prefix, example, "shared", flags.split_whitespace());
        let flags = of_archive.split_whitespace();
        let flags = flags.map(|flag| if flag == "-lsio" { archive.as_str() } else { flag });
        compile_and_run(prefix, example, "static", flags);
    }
    common::check_preloaded(&shared_object(prefix), &scratch("install"));
}

fn compile_and_run<'a>(
    prefix: &Path,
    example: &str,
    how: &str,
    flags: impl Iterator<Item = &'a str>,
) {
    let name = format!("{example}-{how}");
    let program = scratch("install").join(&name);
    let source = root().join("examples-c").join(example).with_extension("c");
    let mut command = Command::new(common::compiler());
    command.arg(source).args(flags).arg("-o").arg(&program);
    finish(&mut command).unwrap_or_else(|text| panic!("{text}"));
    let mut command = Command::new(&program);
    command.env("LD_LIBRARY_PATH", prefix.join("lib"));
    let outcome = common::run(&mut command, PROGRAM_LIMIT, &program.with_extension("log"));
    assert_eq!(outcome.code(), Some(0), "{name}: {}", outcome.output);
}

/// Every function of the map is exported with its version, and nothing else.
fn symbols_have_their_version(prefix: &Path) {
    let library = shared_object(prefix);
    let dynamic = output(Command::new("readelf").args(["-d", "-W"]).arg(&library))
        .unwrap_or_else(|text| panic!("{text}"));
    assert!(dynamic.contains("Library soname: [libsio.so.0]"), "{dynamic}");
    let mut command = Command::new("nm");
    command.args(["-D", "--defined-only", "--with-symbol-versions"]).arg(&library);
    let listing = output(&mut command).unwrap_or_else(|text| panic!("{text}"));
    let exported: BTreeSet<String> = listing
        .lines()
        .filter_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            // A node itself is an absolute symbol.
            [_, "A", _] => None,
            [_, _, symbol] => Some(symbol.to_owned()),
            _ => panic!("nm writes {line}"),
        })
        .collect();
    let newest = common::map_nodes().into_iter().flat_map(|(node, names)| {
        let is_known = node == NODE || common::is_foreign(&node) || common::is_private(&node);
        assert!(is_known, "{node} is not {NODE}");
        names.into_iter().map(move |name| format!("{name}@@{node}"))
    });
    let promised: BTreeSet<String> = newest.chain(old_names()).collect();
    assert_eq!(exported, promised, "the map and the installed library differ");
}

/// What `old_names.S` adds on this machine, as nm(1) writes it.
fn old_names() -> Vec<String> {
    if !cfg!(target_arch = "x86_64") {
        return Vec::new();
    }
    let text = common::read(&root().join("src/capi/old_names.S"));
    let entries = text.lines().filter_map(|line| match line.strip_prefix("    old_list ") {
        Some(name) => Some((name, "GLIBC_2.2.5")),
        None => line.strip_prefix("    old ")?.split_once(", "),
    });
    entries.map(|(name, version)| format!("{name}@{version}")).collect()
}

/// Programs that know nothing of libsio work as they do without it, with calls that go through it.
fn programs_can_be_preloaded(prefix: &Path) {
    let tests = root().join("c-tests");
    for source in common::files(&tests, &[".c"]) {
        let name = common::stem(&source);
        let Some((function, _)) = name.split_once("-passes_") else { continue };
        let program = scratch("install").join(&name);
        // Without -lsio: none of the library's functions is called, so none is needed.
        let mut command = Command::new(common::compiler());
        command.args(["-std=c11", "-D_GNU_SOURCE", "-O1", "-pthread", "-I"]);
        command.arg(root().join("include")).arg(&source).arg("-o").arg(&program);
        finish(&mut command).unwrap_or_else(|text| panic!("{text}"));
        let bindings = preload(prefix, &program);
        let ours = shared_object(prefix);
        assert!(binds(&bindings, &program, &ours, function), "{name}: not ours:\n{bindings}");
    }
}

/// Runs a program with the library preloaded; returns what the loader has bound.
fn preload(prefix: &Path, program: &Path) -> String {
    let directory = scratch("install").join("bindings");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory for what the loader says");
    let mut command = Command::new(program);
    command
        .env("LD_PRELOAD", shared_object(prefix))
        .env("LD_BIND_NOW", "1")
        .env("LD_DEBUG", "bindings")
        .env("LD_DEBUG_OUTPUT", directory.join("of"));
    let outcome = common::run(&mut command, PROGRAM_LIMIT, &program.with_extension("log"));
    assert_eq!(outcome.code(), Some(0), "{}: {}", program.display(), outcome.output);
    common::files(&directory, &[""]).iter().map(|file| common::read(file)).collect()
}

/// Whether a reference of the program's was bound to this library's function.
fn binds(bindings: &str, program: &Path, library: &Path, symbol: &str) -> bool {
    let from = format!("binding file {} [0]", program.display());
    let to = format!(" to {} [0]", library.display());
    let what = format!(": normal symbol `{symbol}'");
    bindings.lines().any(|line| line.contains(&from) && line.contains(&(to.clone() + &what)))
}

/// Old programs ask for old versions: those that mean the same are ours, others the C library's.
fn old_programs_get_what_they_mean(prefix: &Path) {
    let main = "int main(void) { return call == 0; }\n";
    for (version, is_ours) in [("GLIBC_2.34", true), ("GLIBC_2.3.3", true), ("GLIBC_2.2.5", false)]
    {
        let program = scratch("install").join(format!("asks-{version}"));
        let source = program.with_extension("c");
        let text = format!(
            "int old(void);\n__asm__(\".symver old, timer_delete@{version}\");\n\
             static int (*volatile call)(void) = old;\n{main}"
        );
        fs::write(&source, text).expect("writing a program");
        let mut command = Command::new(common::compiler());
        command.arg(&source).arg("-o").arg(&program);
        finish(&mut command).unwrap_or_else(|text| panic!("{text}"));
        let bindings = preload(prefix, &program);
        let found = binds(&bindings, &program, &shared_object(prefix), "timer_delete");
        assert_eq!(found, is_ours, "{version}:\n{bindings}");
    }
}
