//! Files of settings: a JSON list with one entry for each thing that is set. What cannot be used is said with the file's
//! line, so that whoever wrote it finds the place. It knows files and JSON, and not what an entry is about.

use std::{fmt, fs::File, io::Read as _, path::Path};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use service_runtime::Error;

/// No file of settings is longer; a longer one is the wrong file.
const LONGEST: u64 = 1 << 20;

/// One entry, and the line that it begins in.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    pub(crate) line: usize,
    pub(crate) value: T,
}

/// What is wrong with a file, and in which line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: usize,
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn new(line: usize, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { line, reason }
    }

    /// The error of the setting that named the file.
    pub(crate) fn in_file(&self, setting: &str, path: &Path) -> Error {
        Error::setting(setting, format!("{}, {self}", path.display()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// The text of the file that a setting names.
pub(crate) fn text(setting: &str, path: &Path) -> Result<String, Error> {
    let refused = |reason: &str| Error::setting(setting, format!("{}: {reason}", path.display()));
    let mut text = String::new();
    let file = File::open(path).map_err(|error| refused(&error.to_string()))?;
    let read = file.take(LONGEST + 1).read_to_string(&mut text);
    read.map_err(|error| refused(&error.to_string()))?;
    if text.len() as u64 > LONGEST {
        return Err(refused("is longer than 1 MiB"));
    }
    Ok(text)
}

/// The entries of a list.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<Vec<Entry<T>>, Fault> {
    let list: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| fault(1, &error))?;
    let entries = list.into_iter().map(|raw| {
        let before = raw.get().as_ptr().addr().saturating_sub(text.as_ptr().addr());
        let line = 1 + text.bytes().take(before).filter(|byte| *byte == b'\n').count();
        let value = serde_json::from_str(raw.get()).map_err(|error| fault(line, &error))?;
        Ok(Entry { line, value })
    });
    entries.collect()
}

/// What serde says of a text that begins in that line. It counts from 1, and says so in its message, too.
fn fault(line: usize, error: &serde_json::Error) -> Fault {
    let said = error.to_string();
    let reason = said
        .rsplit_once(" at line ")
        .map_or(said.as_str(), |(reason, _)| reason);
    Fault::new(line + error.line().saturating_sub(1), reason)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Number {
        n: u8,
    }

    #[test]
    fn entries_know_their_lines() {
        let entries = parse::<Number>("[\n  {\"n\": 1},\n\n  {\n    \"n\": 2\n  }, {\"n\": 3}]").unwrap();
        let seen: Vec<_> = entries.iter().map(|entry| (entry.line, entry.value.n)).collect();
        assert_eq!(seen, [(2, 1), (4, 2), (6, 3)]);
        assert!(parse::<Number>("[]").unwrap().is_empty());
    }

    #[test]
    fn faults_are_told_with_their_line() {
        for (text, line, reason) in [
            ("", 1, "EOF"),
            ("{}", 1, "expected a sequence"),
            ("[\n  {\"n\": 1},\n  {\"n\": }\n]", 3, "expected value"),
            ("[\n  {\"n\": 1},\n  {\n   \"m\": 2}\n]", 4, "unknown field `m`"),
            (
                "[\n  {\"n\": 1},\n  {\n   \"n\": 1,\n   \"n\": 2}\n]",
                5,
                "duplicate field",
            ),
            ("[{\"n\": 256}]", 1, "u8"),
            ("[\n  {}]", 2, "missing field `n`"),
            ("[{\"n\": 1}]\nx", 2, "trailing"),
        ] {
            let fault = parse::<Number>(text).unwrap_err();
            assert_eq!(fault.line, line, "{text:?} {fault}");
            assert!(
                fault.reason.contains(reason) && !fault.reason.contains("at line"),
                "{fault}"
            );
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let refused = text("SOME_FILE", Path::new("/no/such/file")).unwrap_err().to_string();
        assert!(
            refused.contains("SOME_FILE") && refused.contains("/no/such/file"),
            "{refused}"
        );
    }
}
