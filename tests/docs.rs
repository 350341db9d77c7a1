//! The documents say what is so: quoted programs are the real ones, links lead somewhere, versions
//! agree, and what is described is what there is.

mod common;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{files_below, output, read, root};

/// Stands above a quotation, with the file that it is taken from.
const MARK: &str = "<!-- quoted from ";
const ENGINES: &str = "docs/man/sio_engines.7";
const DEPENDENCIES: &str = "docs/dependencies.md";
/// What a reader is told to run.
const SCRIPTS: &[&str] = &["scripts/demo", "scripts/test", ".ci/run"];
/// Where somebody's own files lie, without the slash before them.
const PRIVATE: &[&str] = &["work", "root", "home", "Users"];
/// Variables of the tests, not of the library.
const OF_TESTS: &[&str] = &[
    "SIO_C_TEST",
    "SIO_CONFORMANCE",
    "SIO_MODEL_RUNS",
    "SIO_UPDATE_CLASSIFIER",
    "SIO_UPDATE_HEADER",
];

fn no_complaints(complaints: &[String]) {
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned()
}

/// The files of the project: what git knows or would add, or all there are where git is missing.
fn project_files() -> Vec<PathBuf> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root());
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let mut found: Vec<PathBuf> = match output(&mut git) {
        Ok(listing) if !listing.is_empty() => {
            listing.split_terminator('\0').map(|name| root().join(name)).collect()
        }
        _ => {
            let is_ours = |path: &PathBuf| {
                let name = relative(path);
                !["target/", "build/", ".git/"].iter().any(|other| name.starts_with(other))
            };
            files_below(&root(), &[""]).into_iter().filter(is_ours).collect()
        }
    };
    found.retain(|path| path.is_file());
    assert!(found.len() > 50, "only {} files", found.len());
    found
}

fn named(end: &str) -> Vec<PathBuf> {
    project_files().into_iter().filter(|path| relative(path).ends_with(end)).collect()
}

#[test]
fn quotations_are_of_real_files() {
    let mut complaints = Vec::new();
    let mut count = 0;
    for path in named(".md") {
        let (name, text) = (relative(&path), read(&path));
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let above = number.checked_sub(1).map_or("", |above| lines[above]);
            if *line == "```c" && source(above).is_none() {
                complaints.push(format!("{name}:{}: C that is quoted from nowhere", number + 1));
            }
            let Some(file) = source(line) else { continue };
            count += 1;
            let quoted = lines[number + 1..].iter().skip(1).take_while(|line| **line != "```");
            let quoted: String = quoted.map(|line| format!("{line}\n")).collect();
            let whole = std::fs::read_to_string(root().join(file)).unwrap_or_default();
            if quoted.is_empty() || !format!("\n{whole}").contains(&format!("\n{quoted}")) {
                complaints.push(format!("{name}:{}: {file} does not say that", number + 1));
            }
        }
    }
    no_complaints(&complaints);
    assert!(count > 0, "nothing is quoted");
}

fn source(line: &str) -> Option<&str> {
    line.strip_prefix(MARK)?.strip_suffix(" -->")
}

#[test]
fn links_lead_somewhere() {
    let mut complaints = Vec::new();
    for path in named(".md") {
        let text = read(&path);
        let directory = path.parent().expect("a file is in a directory");
        for (at, link) in links(&text) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { directory.join(file) };
            let line = text[..at].matches('\n').count() + 1;
            if !target.exists() {
                complaints.push(format!("{}:{line}: no {link}", relative(&path)));
            } else if !heading.is_empty() && !headings(&read(&target)).contains(heading) {
                complaints.push(format!("{}:{line}: no heading {link}", relative(&path)));
            }
        }
    }
    no_complaints(&complaints);
}

/// Targets of links within the project, with their places.
fn links(text: &str) -> Vec<(usize, &str)> {
    text.match_indices("](")
        .filter_map(|(at, open)| {
            let target = text[at + open.len()..].split([')', '\n']).next()?;
            let is_ours = !target.contains("://") && !target.starts_with("mailto:");
            is_ours.then_some((at, target))
        })
        .collect()
}

/// Headings as the anchors that a web page makes of them.
fn headings(text: &str) -> BTreeSet<String> {
    let is_kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|line| line.chars().filter(is_kept).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn versions_agree() {
    let version = env!("CARGO_PKG_VERSION");
    let readme = read(&root().join("README.md"));
    assert!(readme.contains(&format!("\nVersion {version}. ")), "README.md is not of {version}");
    let changes = read(&root().join("CHANGELOG.md"));
    let mut entries = changes.lines().filter_map(|line| line.strip_prefix("## "));
    let newest = entries.find(|entry| *entry != "Unreleased").unwrap_or_default();
    assert_eq!(newest.split(' ').next(), Some(version), "the first entry of CHANGELOG.md");
    let needed = env!("CARGO_PKG_RUST_VERSION");
    for (name, text) in [("README.md", &readme), ("CHANGELOG.md", &changes)] {
        assert!(text.contains(&format!("Rust {needed}")), "{name} does not ask for Rust {needed}");
    }
}

#[test]
fn variables_are_described() {
    let mut read_in_source = BTreeSet::new();
    for path in files_below(&root().join("src"), &[".rs"]) {
        read_in_source.extend(variables(&read(&path), '"'));
    }
    assert!(!read_in_source.is_empty(), "no variable is read");
    let page = read(&root().join(ENGINES));
    let section = page.split("\n.SS Environment").nth(1).expect("a section Environment");
    let section = section.split("\n.S").next().unwrap_or_default();
    // Each is a tag: a line of its own below .TP.
    let described: BTreeSet<String> = section
        .split("\n.TP\n")
        .skip(1)
        .filter_map(|item| item.lines().next()?.strip_prefix(".B "))
        .map(str::to_owned)
        .collect();
    let missing: Vec<&String> = read_in_source.difference(&described).collect();
    let stale: Vec<&String> = described.difference(&read_in_source).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "{ENGINES}: not described: {missing:?}; not read in src: {stale:?}"
    );
}

#[test]
fn documents_name_only_variables_that_exist() {
    let mut known: BTreeSet<String> = OF_TESTS.iter().map(|name| (*name).to_owned()).collect();
    for path in files_below(&root().join("src"), &[".rs"]) {
        known.extend(variables(&read(&path), '"'));
    }
    let mut complaints = Vec::new();
    for path in named(".md") {
        // `SIO_X` alone may be a constant of the header: an assignment is a variable.
        let text = read(&path);
        for (at, _) in text.match_indices("SIO_") {
            let name: String = text[at..].chars().take_while(|c| is_name(*c)).collect();
            let is_set = text[at + name.len()..].starts_with('=');
            if is_set && !known.contains(&name) {
                complaints.push(format!("{}: there is no {name}", relative(&path)));
            }
        }
    }
    no_complaints(&complaints);
}

fn is_name(character: char) -> bool {
    character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_'
}

/// The names that are exactly the text between two of `quote`.
fn variables(text: &str, quote: char) -> BTreeSet<String> {
    text.match_indices(&format!("{quote}SIO_"))
        .filter_map(|(at, _)| {
            let name: String = text[at + 1..].chars().take_while(|c| is_name(*c)).collect();
            text[at + 1 + name.len()..].starts_with(quote).then_some(name)
        })
        .collect()
}

#[test]
fn no_file_knows_where_it_was_written() {
    let mut complaints = Vec::new();
    for path in project_files() {
        // What is not text is not looked at.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            for directory in PRIVATE {
                if names_directory(line, &format!("/{directory}")) {
                    let name = relative(&path);
                    complaints.push(format!("{name}:{}: /{directory}: {line}", number + 1));
                }
            }
        }
    }
    no_complaints(&complaints);
}

/// Whether an absolute path in the line begins with the directory.
fn names_directory(line: &str, directory: &str) -> bool {
    let part_of_path = |c: char| c.is_alphanumeric() || "_-.~$}*)>/".contains(c);
    line.match_indices(directory).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + directory.len()..].chars().next();
        !before.is_some_and(part_of_path)
            && !after.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-')
    })
}

#[test]
fn every_dependency_has_its_reason() {
    let page = read(&root().join(DEPENDENCIES));
    let explained: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .filter(|(_, reason)| reason.len() > 10)
        .map(|(name, _)| name)
        .collect();
    let mut used = BTreeSet::new();
    for manifest in named("Cargo.toml") {
        used.extend(dependencies(&read(&manifest)));
    }
    assert!(used.len() > 3, "only {used:?}");
    let missing: Vec<&String> =
        used.iter().filter(|name| !explained.contains(name.as_str())).collect();
    let stale: Vec<&&str> = explained.iter().filter(|name| !used.contains(**name)).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "{DEPENDENCIES}: no line for {missing:?}; not used any more: {stale:?}"
    );
}

/// The names in the sections of a manifest that list dependencies of any kind, apart from packages
/// of the project itself.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut is_list = false;
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            is_list = section.ends_with("dependencies");
            // [dependencies.name]
            if let Some((_, name)) = section.split_once("dependencies.") {
                names.insert(name.to_owned());
            }
        } else if is_list
            && let Some((name, value)) = line.split_once('=')
            && !value.contains("path =")
            && !line.starts_with([' ', '#'])
        {
            let name = name.trim().split('.').next().unwrap_or_default();
            names.insert(name.trim_matches('"').to_owned());
        }
    }
    names
}

#[test]
fn scripts_can_be_run() {
    for name in SCRIPTS {
        let path = root().join(name);
        let mode = std::fs::metadata(&path).map_or(0, |file| file.permissions().mode());
        assert!(mode & 0o111 != 0, "{name} cannot be run");
    }
}
