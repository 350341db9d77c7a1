//! Sentences written by hand, about a case or a family that misses a goal: lines "ID: sentence", in a
//! file that the generator only reads. Lines that begin with # are skipped.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use sio_benches::record::Family;

#[derive(Default)]
pub struct Notes(Vec<(String, String)>);

impl Notes {
    /// A file that is not there has no notes.
    pub fn read(path: &Path) -> Result<Self, String> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let notes = lines.map(|line| {
            let parts = line.split_once(": ").filter(|(id, _)| !id.contains(' '));
            let (id, sentence) = parts.ok_or_else(|| format!("not \"ID: sentence\": {line}"))?;
            Ok((id.to_string(), sentence.trim().to_string()))
        });
        notes.collect::<Result<_, String>>().map(Self)
    }

    pub fn about<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == id).map(|(_, sentence)| sentence.as_str())
    }

    /// Notes about nothing that there is.
    pub fn strays<'a>(&'a self, families: &'a [Family]) -> impl Iterator<Item = &'a str> {
        let is_known = |id: &str| {
            let is_case = |family: &Family| family.cases.iter().any(|case| case.id == id);
            families.iter().any(|family| family.id == id || is_case(family))
        };
        self.0.iter().map(|(id, _)| id.as_str()).filter(move |id| !is_known(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_id_and_a_sentence() {
        let notes = Notes::parse("# why\n\necho: One.\necho-64-1: Two: three.\necho: Four.\n");
        let notes = notes.expect("notes");
        assert_eq!(notes.about("echo").collect::<Vec<_>>(), ["One.", "Four."]);
        assert_eq!(notes.about("echo-64-1").collect::<Vec<_>>(), ["Two: three."]);
        assert_eq!(notes.strays(&[]).count(), 3);
        assert!(Notes::parse("no id here: oh").is_err());
    }
}
