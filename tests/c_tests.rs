//! Compiles each C test of `c-tests/` against `include/` and the built library, and runs it with
//! every engine. `SIO_C_TEST=sio_recv cargo test --test c_tests` runs those whose name has that.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Compile, PROGRAM_LIMIT, in_parallel, modified, say};

/// One way to choose an engine. The same tests have to pass with each.
struct Setting {
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
    special: Special,
}

/// What is different besides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    Nothing,
    /// io_uring is refused to the program, as it is in many containers.
    Denied,
    /// Every channel is made with `EC_SINGLE`: for programs without threads.
    Single,
    /// Datagrams go over interfaces of the test's own: for programs that send some.
    Network,
}

const SETTINGS: &[Setting] = &[
    Setting {
        name: "io_uring",
        variables: &[("SIO_ENGINE", "io_uring")],
        special: Special::Nothing,
    },
    Setting {
        name: "single",
        variables: &[("SIO_ENGINE", "io_uring"), ("CHECK_SINGLE", "1")],
        special: Special::Single,
    },
    Setting { name: "epoll", variables: &[("SIO_ENGINE", "epoll")], special: Special::Nothing },
    Setting { name: "denied", variables: &[], special: Special::Denied },
    Setting {
        name: "af_xdp",
        variables: &[("SIO_ENGINE", "af_xdp,io_uring,epoll"), ("SIO_C_TEST_NETWORK", "1")],
        special: Special::Network,
    },
];

/// Tests that af_xdp cannot pass, and why.
const NOT_FOR_NETWORK: &[(&str, &str)] = &[
    ("async_io_notify-associated", "polls the kernel's socket, which does not see the data"),
    ("ec_add_socket-datagram_error", "opens the other end once more, in this namespace"),
    ("ec_add_socket-message_size", "fragments come by the kernel, in another order"),
    ("ec_create-single_threaded", "the network of the tests has a child keep it"),
    ("sio_detach-purges", "blocks of more than a frame"),
    ("sio_info-counters", "polls the kernel's socket, which does not see the data"),
    ("sio_send-allocations", "polls the kernel's socket, which does not see the data"),
    ("sio_send-message_too_long", "blocks of more than a frame"),
];

/// Not a test but the tool that refuses io_uring.
const TOOL: &str = "deny_io_uring";
const SKIPPED: i32 = 77;
const OPTIONS: &[&str] = &["-std=c11", "-D_GNU_SOURCE"];

#[test]
fn every_c_test_with_every_engine() {
    let directory = common::root().join("c-tests");
    let wanted = std::env::var("SIO_C_TEST").unwrap_or_default();
    let sources: Vec<PathBuf> = common::files(&directory, &[".c"])
        .into_iter()
        .filter(|path| common::stem(path) == TOOL || common::stem(path).contains(&wanted))
        .collect();
    let built = in_parallel(&sources, |source| build(source));
    let mut failures: Vec<String> =
        built.iter().filter_map(|result| result.as_ref().err().cloned()).collect();
    let programs: Vec<PathBuf> =
        built.into_iter().flatten().filter(|program| common::stem(program) != TOOL).collect();
    assert!(!programs.is_empty(), "no C test compiles:\n{}", failures.join("\n"));

    let settings: Vec<&Setting> = SETTINGS.iter().filter(|setting| possible(setting)).collect();
    let runs: Vec<(&PathBuf, &Setting)> = settings
        .iter()
        .flat_map(|setting| programs.iter().map(move |program| (program, *setting)))
        .filter(|(program, setting)| match setting.special {
            Special::Single => is_for_one_thread(program),
            Special::Network => is_for_network(&common::stem(program)),
            _ => true,
        })
        .collect();
    let results = in_parallel(&runs, |(program, setting)| run(program, setting));
    let skipped = results.iter().filter(|result| matches!(result, Ok(false))).count();
    failures.extend(results.into_iter().filter_map(Result::err));
    say(&format!("{} runs, {skipped} skipped, {} failed", runs.len(), failures.len()));
    assert!(failures.is_empty(), "{} failed:\n\n{}", failures.len(), failures.join("\n"));
}

/// The program of a test; compiled again only when something it is made of has changed.
fn build(source: &Path) -> Result<PathBuf, String> {
    let program = common::scratch("c-tests").join(common::stem(source));
    let directory = source.parent().expect("c-tests");
    let mut inputs = common::files(directory, &[".h"]);
    inputs.extend(common::files(&common::root().join("include"), &[".h"]));
    inputs.push(source.to_owned());
    let newest = inputs.iter().filter_map(|input| modified(input)).max();
    if modified(&program) <= newest {
        Compile::new(&common::compiler()).options(OPTIONS).link(source, &program)?;
    }
    Ok(program)
}

/// Whether a test uses its channels in one thread, and does not say itself which kind they are.
fn is_for_one_thread(program: &Path) -> bool {
    const OTHERS: &[&str] = &["thread_", "pthread_create", "fork(", "EC_SINGLE", "async_io_"];
    let source = format!("c-tests/{}.c", common::stem(program));
    let text = std::fs::read_to_string(common::root().join(source)).expect("the test's source");
    text.contains("channel_new") && !OTHERS.iter().any(|word| text.contains(word))
}

fn tool() -> PathBuf {
    common::scratch("c-tests").join(TOOL)
}

/// Whether a test sends datagrams of the Internet protocols or frames, and can do so over interfaces.
fn is_for_network(name: &str) -> bool {
    const WORDS: [&str; 7] = [
        "UDP4",
        "UDP6",
        "UDP_PAIRS",
        "DATAGRAM_PAIRS",
        "MESSAGE_PAIRS",
        "ALL_PAIRS",
        "network_new",
    ];
    let text = common::read(&common::root().join("c-tests").join(format!("{name}.c")));
    let has_word = WORDS.iter().any(|word| text.contains(word));
    has_word && !NOT_FOR_NETWORK.iter().any(|(test, _)| *test == name)
}

/// Seccomp filters may be forbidden: then io_uring cannot be refused to a program here.
fn possible(setting: &Setting) -> bool {
    if setting.special == Special::Network
        && let Err(reason) = common::network::Network::new(1)
    {
        common::skip("the runs with af_xdp", &reason);
        return false;
    }
    if setting.special != Special::Denied {
        return true;
    }
    match common::finish(Command::new(tool()).arg("true")) {
        Ok(()) => true,
        Err(reason) => {
            common::skip("the runs without io_uring", &reason);
            false
        }
    }
}

/// `Ok(false)`: the test has skipped itself.
fn run(program: &Path, setting: &Setting) -> Result<bool, String> {
    let name = common::stem(program);
    let log = common::scratch("c-tests-output").join(format!("{name}.{}", setting.name));
    let mut command = if setting.special == Special::Denied {
        let mut command = common::with_library(&tool());
        command.args(["--errno", "EPERM"]).arg(program);
        command
    } else {
        common::with_library(program)
    };
    command.envs(setting.variables.iter().copied());
    let outcome = common::run(&mut command, PROGRAM_LIMIT, &log);
    let label = format!("{name} [{}]", setting.name);
    let seconds = outcome.took.as_secs_f32();
    let text = outcome.output.trim_end();
    match outcome.code() {
        Some(0) => {
            say(&format!("ok      {label} {seconds:.2} s"));
            Ok(true)
        }
        Some(SKIPPED) => {
            say(&format!("skipped {label}: {text}"));
            Ok(false)
        }
        _ => {
            say(&format!("FAILED  {label} {seconds:.2} s"));
            let how =
                outcome.status.map_or_else(|| "hangs".to_owned(), |status| status.to_string());
            Err(format!("{label}: {how}\n{text}\n"))
        }
    }
}
