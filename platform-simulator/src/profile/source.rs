//! Where the profile of the start comes from, as it is given on a command line: a name or a file.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::named::{DEFAULT, NAMES};

/// A named profile or a file with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileSource {
    /// One of the names.
    Named(&'static str),
    /// A JSON file.
    File(PathBuf),
}

/// A word that is neither a name nor a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no profile is called {0}, and no file either; the names are {DEFAULT}, {names}", names = NAMES.join(", "))]
pub struct NoSuchProfile(String);

impl FromStr for ProfileSource {
    type Err = NoSuchProfile;

    /// A file that exists wins over a name; what looks like a path is taken for one.
    fn from_str(text: &str) -> Result<Self, NoSuchProfile> {
        let path = Path::new(text);
        let looks_like_a_path = text.contains('/') || path.extension().is_some_and(|end| end == "json");
        if looks_like_a_path || path.is_file() {
            return Ok(Self::File(path.to_owned()));
        }
        match [DEFAULT].into_iter().chain(NAMES).find(|name| *name == text) {
            Some(name) => Ok(Self::Named(name)),
            None => Err(NoSuchProfile(text.to_owned())),
        }
    }
}

impl std::fmt::Display for ProfileSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_name_and_a_path_is_a_file() {
        let read = |text: &str| text.parse::<ProfileSource>();
        assert_eq!(read("heritage"), Ok(ProfileSource::Named("heritage")));
        for path in ["heritage.json", "./heritage", "/nowhere/x"] {
            assert_eq!(read(path), Ok(ProfileSource::File(path.into())), "{path}");
        }
        let refused = read("heritag").unwrap_err().to_string();
        assert!(
            refused.contains("heritag,") && refused.contains("no-role-writes"),
            "{refused}"
        );
    }
}
