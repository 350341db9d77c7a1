//! What a C program sees of the library: the header, the exported names, the manual pages. The
//! header is generated; `SIO_UPDATE_HEADER=1 cargo test --test abi` writes it.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{
    Compile, MAP, PROGRAM_LIMIT, has_program, output, read, root, scratch, shared_object, skip,
    without_comments,
};

/// Each header, what cbindgen is told of it, and the files of src/capi that it is made from.
const HEADERS: &[(&str, &str, &[&str])] = &[
    (
        "include/sio.h",
        "cbindgen.toml",
        &[
            "types",
            "channel",
            "source",
            "area",
            "socket",
            "notify",
            "counts",
            "aio_socket",
            "ethernet",
        ],
    ),
    ("include/sio_driver.h", "cbindgen-driver.toml", &["driver"]),
];
const MANUAL: &str = "docs/man";
const UPDATE: &str = "SIO_UPDATE_HEADER=1 cargo test --test abi";
const SONAME: &str = "libsio.so.0";

/// Names that libsndio exports: a program may link both libraries.
const FOREIGN: &str = "sio_open sio_close sio_read sio_write sio_start sio_stop sio_flush sio_eof \
    sio_setpar sio_getpar sio_getcap sio_initpar sio_setvol sio_onvol sio_onmove sio_nfds \
    sio_pollfd sio_revents";

/// Compilers and standards that have to take the header without a warning.
const DIALECTS: &[(&str, &[&str])] = &[
    ("gcc", &["c11", "c17", "c2x", "gnu2x", "c23", "gnu23"]),
    ("clang", &["c11", "c17", "c2x", "gnu2x", "c23", "gnu23"]),
    ("g++", &["c++17", "c++20"]),
    ("clang++", &["c++17", "c++20"]),
];

/// Standards that not every compiler knows yet.
const RECENT: &[&str] = &["c2x", "gnu2x", "c23", "gnu23"];

/// A program may ask for any of these of the system's headers, or for none.
const FEATURES: &[&[&str]] = &[&[], &["-D_POSIX_C_SOURCE=200809L"], &["-D_GNU_SOURCE"]];

/// The promises about layout, as C and as C++.
const LAYOUT: &str = r"
#include <sio.h>
#include <sio.h>
#include <sio_driver.h>
#include <sio_driver.h>

#ifdef __cplusplus
#define PROMISE(condition) static_assert(condition, #condition)
#else
#define PROMISE(condition) _Static_assert(condition, #condition)
#endif
#define AT(type, field, place) PROMISE(offsetof(type, field) == (place))

PROMISE(sizeof(event_data_t) == 64);
PROMISE(sizeof(struct event_data) == 64);
AT(event_data_t, ev_type, 0);
AT(event_data_t, ev_fd, 4);
AT(event_data_t, ev_cookie, 8);
AT(event_data_t, ev_result, 16);
AT(event_data_t, ev_errno, 24);
AT(event_data_t, ev_flags, 28);
AT(event_data_t, ev_ptr, 32);
AT(event_data_t, ev_len, 40);
AT(event_data_t, ev_source, 48);
AT(event_data_t, ev_pad, 52);
AT(event_data_t, ev_reserved, 56);
#if defined(__GLIBC__) && defined(SIGEV_SIGNAL)
AT(struct sigevent, sigev_ec, 32);
PROMISE(sizeof(((struct sigevent *)0)->sigev_ec) == sizeof(ec_t));
#endif
PROMISE(sizeof(struct aio_cb) == sizeof(struct aiocb));
PROMISE(offsetof(struct aio_cb, aio_fildes) == offsetof(struct aiocb, aio_fildes));
PROMISE(offsetof(struct aio_cb, aio_lio_opcode) == offsetof(struct aiocb, aio_lio_opcode));
PROMISE(offsetof(struct aio_cb, aio_reqprio) == offsetof(struct aiocb, aio_reqprio));
PROMISE(offsetof(struct aio_cb, aio_buf) == offsetof(struct aiocb, aio_buf));
PROMISE(offsetof(struct aio_cb, aio_nbytes) == offsetof(struct aiocb, aio_nbytes));
PROMISE(offsetof(struct aio_cb, aio_sigevent) == offsetof(struct aiocb, aio_sigevent));
PROMISE(offsetof(struct aio_cb, aio_offset) == offsetof(struct aiocb, aio_offset));
AT(struct aio_cb, aiocb, 0);
AT(struct aio_cb, msg_hdr, 136);
PROMISE(sizeof(struct sio_info) == 192);
AT(struct sio_info, si_size, 0);
AT(struct sio_info, si_flags, 4);
AT(struct sio_info, si_engine, 8);
AT(struct sio_info, si_reason, 24);
AT(struct sio_info, si_sent_bytes, 128);
AT(struct sio_info, si_received_bytes, 136);
AT(struct sio_info, si_sent_copied_bytes, 144);
AT(struct sio_info, si_received_copied_bytes, 152);
AT(struct sio_info, si_sends, 160);
AT(struct sio_info, si_receives, 168);
AT(struct sio_info, si_refused_sends, 176);
AT(struct sio_info, si_failed_sends, 184);
PROMISE(sizeof(struct sio_aio_counts) == 144);
AT(struct sio_aio_counts, sc_at_once, 0);
AT(struct sio_aio_counts, sc_by_ring, 8);
AT(struct sio_aio_counts, sc_by_threads, 16);
AT(struct sio_aio_counts, sc_engine, 24);
AT(struct sio_aio_counts, sc_reason, 40);
PROMISE(sizeof(ec_t) == sizeof(int));
PROMISE(sizeof(dma_mem_t) == 8);
PROMISE(EC_CAPACITY(20) == 20u << 24);
PROMISE(sizeof(sio_device_t) == 8);
PROMISE(SIO_KI_READ == 0 && SIO_KI_WRITE == 1);
AT(struct sio_kiocb, ki_operation, 0);
AT(struct sio_kiocb, ki_flags, 4);
AT(struct sio_kiocb, ki_pos, 8);
AT(struct sio_kiocb, ki_iov, 16);
AT(struct sio_kiocb, ki_iovcnt, 24);
AT(struct sio_kiocb, ki_bytes, 32);
AT(struct sio_kiocb, ki_device, 40);
AT(struct sio_kiocb, ki_file, 48);
AT(struct sio_kiocb, ki_private, 56);
PROMISE(sizeof(((struct sio_kiocb *)0)->ki_private) == 64);
AT(struct sio_file, sf_device, 0);
AT(struct sio_file, sf_private, 8);
AT(struct sio_file, sf_flags, 16);
AT(struct sio_device_operations, read, 0);
AT(struct sio_device_operations, write, 8);
AT(struct sio_device_operations, fsync, 16);
AT(struct sio_device_operations, cancel, 24);
AT(struct sio_device_operations, open, 32);
AT(struct sio_device_operations, release, 40);

int main(void)
{
    return ec_to_fd(-1) == -1 ? 0 : 1;
}
";

#[test]
fn headers_are_generated_from_the_source() {
    HEADERS.iter().for_each(|(header, config, files)| check_header(header, config, files));
}

fn check_header(header: &str, config: &str, files: &[&str]) {
    let config = cbindgen::Config::from_file(root().join(config)).expect(config);
    // The C interface alone: constants of the rest of the library are none of the program's.
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in files {
        builder = builder.with_src(root().join("src/capi").join(file).with_extension("rs"));
    }
    let bindings = builder.generate().expect("cbindgen makes a header");
    let mut generated = Vec::new();
    bindings.write(&mut generated);
    let generated = String::from_utf8(generated).expect("the header is text");
    let path = root().join(header);
    if std::env::var_os("SIO_UPDATE_HEADER").is_some_and(|value| value == "1") {
        fs::write(&path, generated).expect("writing the header");
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    if let Some((number, old, new)) = first_difference(&committed, &generated) {
        panic!(
            "{header} is not up to date.\nline {number}: {old}\nshould be: {new}\nrun: {UPDATE}"
        );
    }
}

fn first_difference<'a>(old: &'a str, new: &'a str) -> Option<(usize, &'a str, &'a str)> {
    let (mut left, mut right) = (old.split('\n'), new.split('\n'));
    for number in 1.. {
        match (left.next(), right.next()) {
            (None, None) => return None,
            (old, new) if old == new => {}
            (old, new) => {
                return Some((number, old.unwrap_or("(the end)"), new.unwrap_or("(the end)")));
            }
        }
    }
    None
}

#[test]
fn header_is_clean_in_every_dialect() {
    let directory = scratch("dialects");
    let mut failures = Vec::new();
    for (compiler, standards) in DIALECTS {
        if !has_program(compiler) {
            skip("the header", &format!("there is no {compiler}"));
            continue;
        }
        let suffix = if compiler.ends_with("++") { "cc" } else { "c" };
        let source = directory.join(format!("layout.{suffix}"));
        fs::write(&source, LAYOUT).expect("writing a program");
        let empty = directory.join(format!("empty.{suffix}"));
        fs::write(&empty, "int main(void) { return 0; }\n").expect("writing a program");
        for standard in *standards {
            let option = format!("-std={standard}");
            let known = || Compile::new(compiler).options(&[&option]).check(&empty).is_ok();
            if RECENT.contains(standard) && !known() {
                continue;
            }
            for feature in FEATURES {
                let compile = Compile::new(compiler).options(&[&option]).options(feature);
                failures.extend(compile.check(&source).err());
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn programs_in_c_and_cpp_link() {
    let directory = scratch("link");
    for (compiler, suffix) in [("cc", "c"), ("c++", "cc")] {
        if !has_program(compiler) {
            skip("linking", &format!("there is no {compiler}"));
            continue;
        }
        let source = directory.join(format!("layout.{suffix}"));
        let program = directory.join(format!("layout-{suffix}"));
        fs::write(&source, LAYOUT).expect("writing a program");
        Compile::new(compiler).link(&source, &program).unwrap_or_else(|text| panic!("{text}"));
        check_run(&program).unwrap_or_else(|text| panic!("{text}"));
    }
}

#[test]
fn preloaded_it_leaves_a_program_alone() {
    common::check_preloaded(shared_object(), &scratch("preload"));
}

fn check_run(program: &Path) -> Result<(), String> {
    let log = program.with_extension("log");
    let mut command = common::with_library(program);
    // Some wait for a frame: on that interface there are some, see below.
    command.env("SIO_ETHERNET", "lo");
    let outcome = common::run(&mut command, PROGRAM_LIMIT, &log);
    match outcome.code() {
        Some(0) => Ok(()),
        _ => Err(format!("{}: {:?}\n{}", program.display(), outcome.status, outcome.output)),
    }
}

#[test]
fn map_header_library_and_manual_have_the_same_functions() {
    let (private, public): (Vec<_>, Vec<_>) =
        common::map_nodes().into_iter().partition(|(node, _)| common::is_private(node));
    let (foreign, own): (Vec<_>, Vec<_>) =
        public.into_iter().partition(|(node, _)| common::is_foreign(node));
    let names = |nodes: Vec<(String, Vec<String>)>| -> BTreeSet<String> {
        nodes.into_iter().flat_map(|(_, names)| names).collect()
    };
    let (replaced, mut map) = (names(foreign), names(own));
    let header: BTreeSet<String> = HEADERS
        .iter()
        .flat_map(|(header, ..)| names_of_header(&read(&root().join(header))))
        .collect();
    let manual: BTreeSet<String> = manual_pages(&[".3"]).iter().map(|p| common::stem(p)).collect();
    assert!(map.len() > 20, "{MAP} has only {map:?}");
    same("the headers", &header, MAP, &map);
    same("the manual (section 3)", &manual, "the headers", &header);
    // The system's headers declare those, and its manual has their pages.
    let ideas: String = manual_pages(&[".7"]).iter().map(|page| read(page)).collect();
    let untold: Vec<&String> = replaced.iter().filter(|name| !ideas.contains(*name)).collect();
    assert!(untold.is_empty(), "the manual (section 7) does not tell of {untold:?}");
    // A whole family has pages of ours too, in a section that hides none of the system's.
    let family: BTreeSet<String> =
        replaced.iter().filter(|n| n.contains("aio_") || n.contains("lio_")).cloned().collect();
    let pages = manual_pages(&[".3sio"]).iter().map(|page| common::stem(page)).collect();
    same("the manual (section 3sio)", &pages, "the names of POSIX AIO", &family);
    map.extend(replaced);
    map.extend(names(private));
    let foreign: Vec<&str> =
        FOREIGN.split_whitespace().filter(|name| map.contains(*name)).collect();
    assert!(foreign.is_empty(), "names of libsndio: {foreign:?}");
    if !has_program("nm") {
        return skip("the exported symbols", "there is no nm");
    }
    let listing = output(Command::new("nm").args(["-D", "--defined-only"]).arg(shared_object()))
        .unwrap_or_else(|text| panic!("{text}"));
    let exported: BTreeSet<String> = listing
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .map(|name| name.split('@').next().unwrap_or(name).to_owned())
        .collect();
    same("the built library", &exported, MAP, &map);
}

fn same(left_name: &str, left: &BTreeSet<String>, right_name: &str, right: &BTreeSet<String>) {
    let only_left: Vec<&String> = left.difference(right).collect();
    let only_right: Vec<&String> = right.difference(left).collect();
    assert!(
        only_left.is_empty() && only_right.is_empty(),
        "only in {left_name}: {only_left:?}; only in {right_name}: {only_right:?}"
    );
}

/// The functions that the header declares: at the outermost level, what stands before the first
/// parenthesis of a declaration.
fn names_of_header(text: &str) -> BTreeSet<String> {
    let mut outermost = String::new();
    let mut depth = 0;
    let text = without_directives(&without_comments(text)).replace("extern \"C\" {", "");
    for character in text.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= if depth > 0 { 1 } else { 0 },
            _ if depth == 0 => outermost.push(character),
            _ => {}
        }
    }
    outermost
        .split(';')
        .filter(|declaration| !declaration.trim_start().starts_with("typedef"))
        .filter_map(|declaration| declaration.split_once('('))
        .filter_map(|(before, _)| before.rsplit(|c: char| !is_word(c)).find(|s| !s.is_empty()))
        .map(str::to_owned)
        .collect()
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// Without preprocessor lines and their continuations.
fn without_directives(text: &str) -> String {
    let mut kept = String::new();
    let mut continued = false;
    for line in text.lines() {
        let directive = continued || line.trim_start().starts_with('#');
        continued = directive && line.ends_with('\\');
        if !directive {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn manual_pages(ends: &[&str]) -> Vec<PathBuf> {
    common::files(&root().join(MANUAL), ends)
}

#[test]
fn every_synopsis_compiles() {
    if !has_program("mandoc") {
        return skip("the synopses", "there is no mandoc");
    }
    let directory = scratch("synopsis");
    let pages = manual_pages(&[".3", ".3sio"]);
    let failures: Vec<String> = common::in_parallel(&pages, |page| {
        let text = synopsis(page)?;
        let source = directory.join(format!("{}.c", common::stem(page)));
        // Declared twice, with other types, is an error: the page has to agree with the header.
        fs::write(&source, format!("#include <sio.h>\n{text}\nint main(void) {{ return 0; }}\n"))
            .map_err(|error| error.to_string())?;
        if !text.contains(&format!("{}(", common::stem(page))) {
            return Err(format!("{}: no prototype of its own in\n{text}", page.display()));
        }
        let options = ["-std=gnu11", "-D_GNU_SOURCE"];
        Compile::new(&common::compiler()).options(&options).check(&source)
    })
    .into_iter()
    .filter_map(Result::err)
    .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The C text of the page's SYNOPSIS, as a reader sees it.
fn synopsis(page: &Path) -> Result<String, String> {
    let shown = output(Command::new("mandoc").args(["-T", "ascii", "-O", "width=200"]).arg(page))?;
    let shown = without_overstrikes(&shown);
    let section: Vec<&str> = shown
        .lines()
        .skip_while(|line| !line.starts_with("SYNOPSIS"))
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with(' '))
        .map(str::trim)
        .collect();
    let first = section.iter().position(|line| line.starts_with('#'));
    let last = section.iter().rposition(|line| line.ends_with(';') || line.starts_with('#'));
    match (first, last) {
        (Some(first), Some(last)) => Ok(section[first..=last].join("\n")),
        _ => Err(format!("{}: no C in its SYNOPSIS", page.display())),
    }
}

/// Bold and underlined text of a terminal is a letter, a backspace and a letter.
fn without_overstrikes(text: &str) -> String {
    let mut kept: Vec<char> = Vec::new();
    for character in text.chars() {
        if character == '\u{8}' {
            kept.pop();
        } else {
            kept.push(character);
        }
    }
    kept.into_iter().collect()
}

#[test]
fn every_example_of_the_manual_runs() {
    let directory = scratch("examples");
    let mut programs = Vec::new();
    for page in manual_pages(&[".1", ".3", ".3sio", ".7"]) {
        for (number, text) in examples(&read(&page)).into_iter().enumerate() {
            let name = page.file_name().unwrap_or_default().to_string_lossy();
            programs.push((directory.join(format!("{name}-{number}.c")), text));
        }
    }
    assert!(!programs.is_empty(), "the manual has no examples");
    let (ended, has_ended) = std::sync::mpsc::channel::<()>();
    let traffic = std::thread::spawn(move || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let itself = socket.local_addr().expect("bound");
        let pause = std::time::Duration::from_millis(10);
        while has_ended.recv_timeout(pause) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = socket.send_to(b"a frame", itself);
        }
    });
    let failures: Vec<String> = common::in_parallel(&programs, |(source, text)| {
        fs::write(source, text).map_err(|error| error.to_string())?;
        let program = source.with_extension("");
        let compile = Compile::new(&common::compiler()).options(&["-std=gnu11"]);
        compile.link(source, &program)?;
        check_run(&program)
    })
    .into_iter()
    .filter_map(Result::err)
    .collect();
    drop(ended);
    traffic.join().expect("the traffic");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The literal blocks of a page that are whole programs: they begin with `#include`.
fn examples(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<Vec<String>> = None;
    let mut in_synopsis = false;
    for line in page.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some(".SH" | ".Sh") => in_synopsis = words.next() == Some("SYNOPSIS"),
            Some(".nf" | ".EX" | ".Bd") => block = Some(Vec::new()),
            Some(".fi" | ".EE" | ".Ed") => {
                let program = block.take().unwrap_or_default().join("\n");
                if program.starts_with("#include") && !in_synopsis {
                    found.push(program + "\n");
                }
            }
            _ => {
                if let Some(lines) = &mut block {
                    lines.push(plain(line));
                }
            }
        }
    }
    found
}

/// A line of a literal block without the escapes of roff: groff_char(7).
fn plain(line: &str) -> String {
    const ESCAPES: &[(&str, &str)] = &[
        ("\\&", ""),
        ("\\-", "-"),
        ("\\(aq", "'"),
        ("\\(dq", "\""),
        ("\\(ga", "`"),
        ("\\(ha", "^"),
        ("\\(ti", "~"),
        ("\\(rs", "\\"),
        ("\\e", "\\"),
    ];
    let mut text = String::new();
    let mut rest = line;
    'next: while let Some(first) = rest.chars().next() {
        for (escape, meaning) in ESCAPES {
            if let Some(after) = rest.strip_prefix(escape) {
                text.push_str(meaning);
                rest = after;
                continue 'next;
            }
        }
        text.push(first);
        rest = &rest[first.len_utf8()..];
    }
    text
}

#[test]
fn manual_pages_are_well_formed() {
    if !has_program("mandoc") {
        return skip("the manual", "there is no mandoc");
    }
    let mut complaints = String::new();
    for page in manual_pages(&[".1", ".3", ".3sio", ".7"]) {
        let result = Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .arg(&page)
            .output()
            .expect("running mandoc");
        complaints.push_str(&String::from_utf8_lossy(&result.stdout));
        complaints.push_str(&String::from_utf8_lossy(&result.stderr));
    }
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn library_has_its_soname() {
    if !has_program("readelf") {
        return skip("the SONAME", "there is no readelf");
    }
    let dynamic = output(Command::new("readelf").args(["-d", "-W"]).arg(shared_object()))
        .unwrap_or_else(|text| panic!("{text}"));
    let expected = format!("Library soname: [{SONAME}]");
    assert!(dynamic.contains(&expected), "not {expected} in\n{dynamic}");
}
