//! Settings as operators write them: durations, sizes, secrets from a variable or a file, and the list that `--check`
//! prints. Parsers are plain functions for clap's `value_parser`. No secret ever reaches an error or the list.

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use secrecy::SecretString;

use crate::Error;

mod joined;

pub use joined::{join, part};

/// No secret is longer; a larger file is the wrong file.
const MAX_SECRET_BYTES: u64 = 64 * 1024;
const HIDDEN: &str = "<hidden>";

/// Reads `250ms`, `5s`, `2m`, `1h`, or plain seconds; 0 is allowed.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let wrong = || format!("{text:?} is not a duration; write 250ms, 5s, 2m, 1h, or plain seconds");
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = |factor: u64| number.checked_mul(factor).map(Duration::from_secs);
    let duration = match unit.trim_start() {
        "ms" => Some(Duration::from_millis(number)),
        "" | "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3600),
        "d" => seconds(86_400),
        _ => return Err(wrong()),
    };
    // A century is more than anyone means, and clocks can still add it.
    duration
        .filter(|duration| duration.as_secs() <= 100 * 366 * 86_400)
        .ok_or_else(|| format!("{text:?} is too long"))
}

/// Reads `512`, `64KiB`, `1MiB`, `2GiB`, or with decimal units `KB`, `MB`, `GB`.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let wrong = || format!("{text:?} is not a size; write 512, 64KiB, 1MiB, 2GiB, or KB, MB, GB");
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let factor: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "KB" | "kB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(factor)
        .ok_or_else(|| format!("{text:?} is too large"))
}

/// Takes a secret from the command line or a variable. Give the argument `hide_env_values = true`, which keeps it out
/// of the help text and of [`effective`].
pub fn parse_secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(SecretString::from(text))
}

/// The command with every variable that is empty left unread: that is how deployment files say "not set".
pub fn ignoring_empty_variables(command: Command) -> Command {
    command
        .mut_args(|argument| {
            let is_empty = |name| std::env::var_os(name).is_some_and(|value| value.is_empty());
            if argument.get_env().is_some_and(is_empty) {
                argument.env(None::<&'static str>)
            } else {
                argument
            }
        })
        .mut_subcommands(ignoring_empty_variables)
}

/// The secret called `setting`: given as a value, or in a file, not both. One trailing newline of a file is not part of
/// it. An empty value is how deployment files say "not set"; an empty file is an error.
pub fn secret(setting: &str, value: Option<&SecretString>, file: Option<&Path>) -> Result<Option<SecretString>, Error> {
    use secrecy::ExposeSecret;
    let value = value.filter(|value| !value.expose_secret().is_empty());
    match (value, file.filter(|file| !file.as_os_str().is_empty())) {
        (Some(_), Some(_)) => Err(Error::setting(setting, "is given both as a value and as a file")),
        (Some(value), None) => Ok(Some(value.clone())),
        (None, Some(path)) => read_secret(setting, path).map(Some),
        (None, None) => Ok(None),
    }
}

fn read_secret(setting: &str, path: &Path) -> Result<SecretString, Error> {
    let refused = |source| Error::SecretFile {
        setting: setting.to_owned(),
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(refused)?;
    file.take(MAX_SECRET_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(refused)?;
    let shown = path.display();
    if text.len() as u64 > MAX_SECRET_BYTES {
        return Err(Error::setting(setting, format!("{shown} is larger than 64 KiB")));
    }
    let secret = text
        .strip_suffix('\n')
        .map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if secret.is_empty() {
        return Err(Error::setting(setting, format!("{shown} is empty")));
    }
    Ok(SecretString::from(secret))
}

/// One setting as it is in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name on the command line, without the dashes.
    pub name: String,
    /// Its value, `<hidden>` for a secret.
    pub value: String,
    /// Where the value comes from.
    pub source: &'static str,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} ({})", self.name, self.value, self.source)
    }
}

/// The settings in effect, in the order of the help text. Arguments with `hide_env_values` are secrets.
pub fn effective(command: &Command, matches: &ArgMatches) -> Vec<Setting> {
    let own = |id: &str| matches!(id, "help" | "version" | "check");
    command
        .get_arguments()
        .filter(|argument| !own(argument.get_id().as_str()))
        .filter_map(|argument| {
            let id = argument.get_id().as_str();
            let given = matches.try_get_raw(id).ok()?;
            let values: Option<Vec<_>> = given.map(|values| values.map(|value| value.to_string_lossy()).collect());
            let value = match values {
                None => "(not set)".to_owned(),
                Some(_) if argument.is_hide_env_values_set() => HIDDEN.to_owned(),
                Some(values) => values.join(","),
            };
            let source = match matches.value_source(id) {
                Some(ValueSource::CommandLine) => "command line",
                Some(ValueSource::EnvVariable) => "environment",
                _ => "default",
            };
            Some(Setting {
                name: argument.get_long().unwrap_or(id).to_owned(),
                value,
                source,
            })
        })
        .collect()
}

/// Writes settings, one on each line.
pub fn print(settings: &[Setting], out: &mut impl io::Write) -> io::Result<()> {
    settings.iter().try_for_each(|setting| writeln!(out, "{setting}"))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn durations() {
        let table = [
            ("0", Some(Duration::ZERO)),
            ("250ms", Some(Duration::from_millis(250))),
            ("5s", Some(Duration::from_secs(5))),
            (" 5 s ", Some(Duration::from_secs(5))),
            ("7", Some(Duration::from_secs(7))),
            ("2m", Some(Duration::from_secs(120))),
            ("1h", Some(Duration::from_secs(3600))),
            ("1d", Some(Duration::from_secs(86_400))),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("5 minutes", None),
            ("5sec", None),
            ("18446744073709551615h", None),
            ("18446744073709551615", None),
            ("99999999999999999999", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_duration(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn sizes() {
        let table = [
            ("0", Some(0)),
            ("512", Some(512)),
            ("64KiB", Some(65_536)),
            ("1 MiB", Some(1_048_576)),
            ("2GB", Some(2_000_000_000)),
            ("", None),
            ("MiB", None),
            ("1mib", None),
            ("-1", None),
            ("18446744073709551615GiB", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_bytes(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_secret_comes_from_a_value_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let value = SecretString::from("s3cret");
        let read = |path: &Path| secret("TOKEN", None, Some(path)).map(|read| read.unwrap().expose_secret().to_owned());
        assert_eq!(read(&file("one", "s3cret\n")).unwrap(), "s3cret");
        assert_eq!(
            read(&file("two", "s3cret\n\n")).unwrap(),
            "s3cret\n",
            "one newline, no more"
        );
        assert_eq!(read(&file("windows", "s3cret\r\n")).unwrap(), "s3cret");
        assert_eq!(
            secret("TOKEN", Some(&value), None).unwrap().unwrap().expose_secret(),
            "s3cret"
        );
        assert!(secret("TOKEN", Some(&SecretString::from("")), None).unwrap().is_none());
        assert!(secret("TOKEN", None, None).unwrap().is_none());

        let missing = folder.path().join("missing");
        let wrong = [
            read(&missing).unwrap_err(),
            read(&file("empty", "\n")).unwrap_err(),
            read(&file("large", &"s3cret".repeat(20_000))).unwrap_err(),
            secret("TOKEN", Some(&value), Some(&missing)).unwrap_err(),
        ];
        for error in wrong {
            assert!(error.to_string().starts_with("TOKEN: "), "{error}");
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn the_list_names_sources_and_hides_secrets() {
        let command = Command::new("x").args([
            clap::Arg::new("listen").long("listen").default_value("127.0.0.1:0"),
            clap::Arg::new("token").long("token").hide_env_values(true),
            clap::Arg::new("url").long("url"),
        ]);
        let matches = command.clone().get_matches_from(["x", "--token", "s3cret"]);
        let mut printed = Vec::new();
        print(&effective(&command, &matches), &mut printed).unwrap();
        assert_eq!(
            String::from_utf8(printed).unwrap(),
            "listen = 127.0.0.1:0 (default)\ntoken = <hidden> (command line)\nurl = (not set) (default)\n"
        );
    }
}
