//! What lints cannot hold: which module may use which, where `unsafe` may stand and why, sizes of
//! files, one version number, nothing left for later.

mod common;

use std::path::{Path, PathBuf};

use common::{files, files_below, read, root, stem};

/// The arrows of src/lib.rs: a module may use those to the right of it, and the common ones.
const ARROWS: &[(&str, &[&str])] = &[
    ("capi", &["api", "channel", "aio", "engine", "port", "net", "region", "sys"]),
    ("api", &["channel", "aio", "engine", "port", "net", "region", "sys"]),
    ("channel", &["aio", "engine", "region", "sys"]),
    ("aio", &["engine", "region", "sys"]),
    ("engine", &["port", "net", "region", "sys"]),
    ("port", &["net", "region", "sys"]),
    ("net", &[]),
    ("region", &["sys"]),
    ("sys", &[]),
];

/// Used by all; they use nothing but each other.
const COMMON: &[&str] = &["error", "limits"];

/// Where `unsafe` may stand.
const FENCE: &[&str] =
    &["src/sys/", "src/region/map.rs", "src/capi/", "src/bin/sio-run/system.rs", "preload/src/"];

/// Files that need not forbid it: inside of the fence, above it, or covered by their parent.
const NOT_FORBIDDING: &[&str] = &["src/lib.rs", "src/region/mod.rs", "src/bin/sio-run/main.rs"];
const FORBID: &str = "#![forbid(unsafe_code)]";

const SOURCE_LINES_MAX: usize = 600;
const EXAMPLE_LINES_MAX: usize = 149;
const REASON_LINES: usize = 3;

/// Words that say that something is not finished.
const UNFINISHED: &[&str] = &["TODO", "FIXME", "XXX", "unimplemented!", "todo!"];

/// A source file: where it is, what it says, and the same with comments and strings blanked out.
struct Source {
    name: String,
    text: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let places = [root().join("src"), root().join("preload/src")];
    let found: Vec<Source> = places
        .iter()
        .flat_map(|place| files_below(place, &[".rs"]))
        .map(|path| {
            let text = read(&path);
            let code = code_only(&text);
            Source { name: relative(&path), text, code }
        })
        .collect();
    assert!(found.len() > 10, "only {} files in src", found.len());
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned()
}

fn fenced(name: &str) -> bool {
    FENCE.iter().any(|place| name.starts_with(place))
}

fn no_complaints(complaints: &[String]) {
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn modules_use_only_what_their_arrows_allow() {
    let mut complaints = Vec::new();
    for source in sources() {
        let module = module_of(&source.name);
        if module == "lib" || module == "bin" || module == "preload" {
            continue;
        }
        let allowed: Vec<&str> = match ARROWS.iter().find(|(name, _)| *name == module) {
            Some((_, allowed)) => allowed.iter().chain(COMMON).copied().collect(),
            None if COMMON.contains(&module) => COMMON.to_vec(),
            None => {
                complaints.push(format!("{}: {module} has no place among the arrows", source.name));
                continue;
            }
        };
        for (line, used) in used_modules(&source) {
            let known = ARROWS.iter().any(|(name, _)| *name == used) || COMMON.contains(&&*used);
            if known && used != module && !allowed.contains(&&*used) {
                complaints.push(format!("{}:{line}: {module} must not use {used}", source.name));
            }
        }
    }
    no_complaints(&complaints);
}

/// `src/engine/uring/mod.rs` and `src/engine.rs` belong to `engine`.
fn module_of(name: &str) -> &str {
    let rest = name.strip_prefix("src/").unwrap_or(name);
    rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs")
}

/// How deep the module of a file lies: `src/engine/uring/mod.rs` and `src/engine/table.rs` are 2.
fn depth_of(name: &str) -> usize {
    let rest = name.strip_prefix("src/").unwrap_or(name);
    rest.trim_end_matches("/mod.rs").split('/').count()
}

/// The modules of the crate's root that a file names, with the lines: after `crate::`, and after
/// as many `super::` as lead to the root.
fn used_modules(source: &Source) -> Vec<(usize, String)> {
    let root_by_super = "super::".repeat(depth_of(&source.name));
    let mut used = Vec::new();
    for prefix in ["crate::", root_by_super.as_str()] {
        for (at, _) in source.code.match_indices(prefix) {
            let before = source.code[..at].chars().next_back().unwrap_or(' ');
            if is_word(before) || before == ':' {
                continue;
            }
            let line = source.code[..at].matches('\n').count() + 1;
            let after = &source.code[at + prefix.len()..];
            used.extend(first_names(after).into_iter().map(|name| (line, name)));
        }
    }
    used
}

/// `a::b` gives `a`; `{a::b, c, d::{e, f}}` gives `a`, `c` and `d`.
fn first_names(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![path.chars().take_while(|character| is_word(*character)).collect()];
    };
    let mut names = vec![String::new()];
    let (mut depth, mut in_name) = (0, true);
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(String::new());
                in_name = true;
            }
            _ if depth == 0 && in_name && is_word(character) => {
                names.last_mut().expect("a name was begun").push(character);
            }
            ':' => in_name = false,
            _ => {}
        }
    }
    names
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[test]
fn unsafe_stays_inside_its_fence() {
    let mut complaints = Vec::new();
    for source in sources().iter().filter(|source| !fenced(&source.name)) {
        for at in words(&source.code, "unsafe") {
            let line = source.code[..at].matches('\n').count() + 1;
            complaints.push(format!("{}:{line}: unsafe outside of {FENCE:?}", source.name));
        }
        let excepted =
            NOT_FORBIDDING.contains(&source.name.as_str()) || source.name.ends_with("_tests.rs");
        if must_forbid(&source.name) && !excepted && !source.text.contains(FORBID) {
            complaints.push(format!("{}: no {FORBID}", source.name));
        }
    }
    no_complaints(&complaints);
}

/// The root of a module covers what is in it; `region` is divided by the fence, so each of its
/// files speaks for itself.
fn must_forbid(name: &str) -> bool {
    name.starts_with("src/region/") || name.starts_with("src/bin/") || depth_of(name) == 1
}

/// One that std closes is closed by a cancellation point.
#[test]
fn descriptors_are_those_of_sys() {
    let complaints: Vec<String> = sources()
        .iter()
        .filter(|source| !source.name.starts_with("src/bin/"))
        .filter(|source| !words(&source.code, "OwnedFd").is_empty())
        .map(|source| {
            format!("{}: OwnedFd where sys::descriptor::Descriptor is meant", source.name)
        })
        .collect();
    no_complaints(&complaints);
}

#[test]
fn every_unsafe_block_has_its_reason() {
    let mut complaints = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for at in words(&source.code, "unsafe") {
            let after = source.code[at + "unsafe".len()..].trim_start();
            let number = source.code[..at].matches('\n').count();
            if after.starts_with('{') && !has_reason(&lines, number) {
                complaints.push(format!("{}:{}: no SAFETY comment", source.name, number + 1));
            }
        }
    }
    no_complaints(&complaints);
}

/// On the line, in the lines just above, or at the head of the comment that ends there.
fn has_reason(lines: &[&str], number: usize) -> bool {
    let mut first = number.saturating_sub(REASON_LINES);
    while first > 0 && lines[first].trim_start().starts_with("//") {
        first -= 1;
    }
    lines[first..=number].iter().any(|line| line.contains("SAFETY"))
}

#[test]
fn files_have_one_subject() {
    let mut complaints: Vec<String> = sources()
        .iter()
        .map(|source| (&source.name, source.text.lines().count()))
        .filter(|(_, lines)| *lines > SOURCE_LINES_MAX)
        .map(|(name, lines)| format!("{name}: {lines} lines, more than {SOURCE_LINES_MAX}"))
        .collect();
    for path in files_below(&root().join("examples-c"), &[""]) {
        let lines = read(&path).lines().count();
        if lines > EXAMPLE_LINES_MAX {
            complaints.push(format!("{}: {lines} lines", relative(&path)));
        }
    }
    no_complaints(&complaints);
}

#[test]
fn nothing_is_left_for_later() {
    let mut complaints = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            if let Some(word) = UNFINISHED.iter().find(|word| line.contains(**word)) {
                complaints.push(format!("{}:{}: {word}", source.name, number + 1));
            }
        }
    }
    no_complaints(&complaints);
}

#[test]
fn one_version_number() {
    let meson = read(&root().join("meson.build"));
    let version = meson
        .lines()
        .find_map(|line| line.trim().strip_prefix("version: '")?.split('\'').next())
        .expect("meson.build has a line with the version");
    assert_eq!(version, env!("CARGO_PKG_VERSION"), "meson.build and Cargo.toml differ");
}

#[test]
fn c_tests_say_what_they_check() {
    let mut complaints = Vec::new();
    let tests: Vec<PathBuf> = files(&root().join("c-tests"), &[".c"]);
    assert!(!tests.is_empty(), "no C tests");
    for path in tests {
        let (name, text) = (stem(&path), read(&path));
        if !text.starts_with("/*") {
            complaints.push(format!("{name}.c: does not begin with what it checks"));
        }
        let property = name.split_once('-').is_some_and(|(function, property)| {
            !function.is_empty() && property.chars().all(|c| is_word(c) && !c.is_uppercase())
        });
        if !property && text.contains("check.h") {
            complaints.push(format!("{name}.c: not named function-property"));
        }
    }
    no_complaints(&complaints);
}

/// Where a whole word stands.
fn words(text: &str, word: &str) -> Vec<usize> {
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| {
            let before = text[..*at].chars().next_back().unwrap_or(' ');
            let after = text[at + word.len()..].chars().next().unwrap_or(' ');
            !is_word(before) && !is_word(after)
        })
        .collect()
}

/// The text with comments and the insides of strings as spaces; lines stay where they are.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, blank) = token(rest, first, code.chars().next_back());
        let (taken, after) = rest.split_at(length);
        if blank {
            code.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            code.push_str(taken);
        }
        rest = after;
    }
    code
}

/// How long the token is that `rest` begins with, and whether it is a comment or a string.
fn token(rest: &str, first: char, before: Option<char>) -> (usize, bool) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), true);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), true);
    }
    if first == '"' {
        return (quoted(rest, '"'), true);
    }
    if first == 'r' && !before.is_some_and(is_word) {
        let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
        if rest[1 + hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = 2 + hashes;
            let length = rest[inside..].find(&end).map_or(rest.len(), |at| inside + at + end.len());
            return (length, true);
        }
    }
    // A quote begins a character if another follows the one character or the escape after it; a
    // lifetime otherwise.
    if first == '\'' {
        let mut next = rest[1..].chars();
        if next.next() == Some('\\') || next.next() == Some('\'') {
            return (quoted(rest, '\''), true);
        }
    }
    (first.len_utf8(), false)
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == quote {
            return at + 1;
        }
    }
    rest.len()
}

#[test]
fn comments_and_strings_are_not_code() {
    let text = "a // unsafe\nb /* unsafe /* x */ y */ c \"un\\\"safe\" r#\"u\"#; 'x' '\\'' &'a d";
    let code = code_only(text);
    assert_eq!(code.len(), text.len());
    let kept: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(kept, ["a", "b", "c", ";", "&'a", "d"]);
    assert_eq!(first_names("{a::b, c, d::{e, f}} g"), ["a", "c", "d"]);
    assert_eq!(first_names("a::b"), ["a"]);
}
