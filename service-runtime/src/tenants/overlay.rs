//! One section of a tenant laid over the process's settings: each key is an argument of the settings' own command line, without
//! its defaults and variables, so that its parser, its checks and its documentation are the same.

use std::any::TypeId;
use std::error::Error as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Args, Command};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use toml::Value;

use super::{Digest, Tenant, shown, wrong};
use crate::{Error, settings};

/// A section laid over settings.
#[derive(Clone, Debug)]
pub struct Overlaid<C> {
    /// The settings in effect for the tenant.
    pub settings: C,
    /// The same for the same section, with the same secrets and the same content of the files that it names.
    pub digest: Digest,
}

impl Tenant<'_> {
    /// Its section of that name laid over the process's settings. `may_set` says which settings, by their ids, a tenant has for
    /// itself; the others are the whole service's.
    pub fn over<C: Args + Clone>(
        &self,
        section: &str,
        base: &C,
        may_set: impl Fn(&str) -> bool,
    ) -> Result<Overlaid<C>, Error> {
        let command = bare::<C>();
        let mut digest = Sha256::new();
        let mut lines = Vec::new();
        for (key, value) in self.sections.get(section).into_iter().flatten() {
            let place = format!("tenants.{}.{section}.{}", self.name, shown(key));
            let argument = command.get_arguments().find(|argument| argument.get_id() == key);
            let Some(argument) = argument else {
                return Err(wrong(&place, unknown(&command, key, &may_set)));
            };
            if !may_set(key) {
                return Err(wrong(&place, "is a setting of the whole service, not of a tenant"));
            }
            let line = self.argument(&place, argument, value, &mut digest)?;
            digest.update(format!("{key} {} ", line.len()));
            digest.update(line.as_encoded_bytes());
            lines.push((place, argument.is_hide_env_values_set(), line));
        }
        let mut settings = base.clone();
        let all = lines.iter().map(|(.., line)| line);
        let applied = apply(&command, &mut settings, all);
        if let Err(error) = applied {
            // Whose fault it is, one by one.
            let culprit = lines.iter().find_map(|(place, is_secret, line)| {
                let error = apply(&command, &mut base.clone(), [line]).err()?;
                Some(wrong(place, reason(&error, *is_secret)))
            });
            let place = format!("tenants.{}.{section}", self.name);
            return Err(culprit.unwrap_or_else(|| wrong(&place, reason(&error, true))));
        }
        Ok(Overlaid {
            settings,
            digest: digest.finalize().into(),
        })
    }

    /// A key and its value as an argument, with what is referred to in its place.
    fn argument(&self, place: &str, argument: &Arg, value: &Value, digest: &mut Sha256) -> Result<OsString, Error> {
        let long = argument.get_long().unwrap_or_default();
        let of = |text: &str| OsString::from(format!("--{long}={text}"));
        match value {
            Value::Table(reference) => {
                let mut entries = reference.iter();
                match (entries.next(), entries.next()) {
                    (Some((kind, Value::String(name))), None) if kind == "env" => {
                        let value = (self.file.environment)(name).filter(|value| !value.is_empty());
                        let unset = || wrong(place, format!("the variable {} is not set", variable(name)));
                        Ok(of(&value.ok_or_else(unset)?))
                    }
                    (Some((kind, Value::String(path))), None) if kind == "file" => {
                        let path = Path::new(path);
                        digest.update(self.file.watched.look(path));
                        let place = format!("TENANTS_FILE: {place}");
                        let secret = settings::secret(&place, None, Some(path))?;
                        let secret = secret.unwrap_or_else(|| SecretString::from(""));
                        Ok(of(secret.expose_secret()))
                    }
                    _ => Err(wrong(
                        place,
                        "a reference is { env = \"NAME\" } or { file = \"/path\" }",
                    )),
                }
            }
            _ if argument.is_hide_env_values_set() => Err(wrong(
                place,
                "is a secret, which does not stand in this file; write { env = \"NAME\" } or { file = \"/path\" }",
            )),
            Value::Array(values) => {
                let Some(delimiter) = argument.get_value_delimiter() else {
                    return Err(wrong(place, "takes one value, not a list"));
                };
                let texts: Vec<_> = values
                    .iter()
                    .map(|value| plain(place, value))
                    .collect::<Result<_, _>>()?;
                if texts.iter().any(|text| text.contains(delimiter)) {
                    return Err(wrong(place, format!("a value of a list has no `{delimiter}` in it")));
                }
                if texts.is_empty() {
                    return Ok(OsString::from(format!("--{long}")));
                }
                Ok(of(&texts.join(&delimiter.to_string())))
            }
            value => {
                let text = plain(place, value)?;
                if argument.get_value_parser().type_id() == TypeId::of::<PathBuf>() {
                    digest.update(self.file.watched.look(Path::new(&text)));
                }
                Ok(of(&text))
            }
        }
    }
}

/// The settings' command line without what the process's variables, defaults and rules of presence would add.
fn bare<C: Args>() -> Command {
    C::augment_args(Command::new("tenant"))
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .mut_args(|argument| {
            let argument = argument
                .required(false)
                .env(clap::builder::Resettable::Reset)
                .default_value(clap::builder::Resettable::<clap::builder::OsStr>::Reset);
            if argument.get_value_delimiter().is_some() {
                // An empty list is one, too.
                argument.num_args(0..)
            } else if matches!(argument.get_action(), ArgAction::SetTrue) {
                argument
                    .action(ArgAction::Set)
                    .num_args(1)
                    .value_parser(clap::value_parser!(bool))
            } else {
                argument
            }
        })
}

fn apply<'a, C: Args>(
    command: &Command,
    settings: &mut C,
    line: impl IntoIterator<Item = &'a OsString>,
) -> Result<(), clap::Error> {
    let matches = command.clone().try_get_matches_from(line)?;
    settings.update_from_arg_matches(&matches)
}

/// A value that is neither a list nor a reference, as it would stand in a variable.
fn plain(place: &str, value: &Value) -> Result<String, Error> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        Value::Datetime(date) => Ok(date.to_string()),
        Value::Array(_) | Value::Table(_) => Err(wrong(place, "a list has plain values")),
    }
}

/// The name of a variable, unless it may be something that was put there by mistake.
fn variable(name: &str) -> &str {
    let is_usual = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(is_usual) {
        name
    } else {
        "that it names"
    }
}

/// What is said of a key that is no setting's.
fn unknown(command: &Command, key: &str, may_set: impl Fn(&str) -> bool) -> String {
    let mut ids = command.get_arguments().map(|argument| argument.get_id().as_str());
    let folded = key.to_lowercase().replace('-', "_");
    match ids.find(|id| *id == folded && may_set(id)) {
        Some(id) => format!("is not known; settings are written in small letters: {id}"),
        None => "is no setting of this section".to_owned(),
    }
}

/// Why a value was not taken, in the words of the setting's parser; nothing of a secret's, which may repeat it.
fn reason(error: &clap::Error, is_secret: bool) -> String {
    if is_secret {
        return "cannot be used".to_owned();
    }
    match (error.kind(), error.get(ContextKind::ValidValue), error.source()) {
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(values)), _) if !values.is_empty() => {
            format!("must be one of {}", values.join(", "))
        }
        (ErrorKind::ValueValidation, _, Some(cause)) => cause.to_string(),
        (kind, ..) => kind.as_str().unwrap_or("cannot be used").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::settings::{parse_duration, parse_secret};
    use crate::tenants::TenantsFile;

    #[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
    enum Mode {
        Remove,
        Disable,
    }

    #[derive(clap::Args, Clone, Debug)]
    struct Inner {
        /// Flattened.
        #[arg(long, env = "TENANTS_TEST_SHARE", default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
        share: u8,
    }

    #[derive(clap::Args, Clone, Debug)]
    struct Settings {
        /// The whole service's.
        #[arg(long, env = "LISTEN", default_value = "127.0.0.1:1")]
        listen: std::net::SocketAddr,
        #[arg(long, env = "URL")]
        url: Option<String>,
        #[arg(long, env = "SECRET", hide_env_values = true, value_parser = parse_secret)]
        secret: Option<SecretString>,
        #[arg(long, env = "SECRET_FILE")]
        secret_file: Option<PathBuf>,
        #[arg(long, env = "DELETE_MODE", value_enum, default_value_t = Mode::Remove)]
        delete_mode: Mode,
        #[arg(long, env = "PAUSE", default_value = "5s", value_parser = parse_duration)]
        pause: Duration,
        #[arg(long, env = "NAMES", value_delimiter = ',')]
        names: Vec<String>,
        #[arg(long, env = "HEADERS", value_delimiter = ',', hide_env_values = true, value_parser = header)]
        headers: Vec<String>,
        #[arg(long, env = "DRY_RUN", default_value_t = false, action = ArgAction::Set)]
        dry_run: bool,
        #[arg(long)]
        switch: bool,
        #[arg(long, env = "NEEDED", required = true, allow_negative_numbers = true)]
        needed: i32,
        #[command(flatten)]
        inner: Inner,
    }

    fn header(text: &str) -> Result<String, String> {
        text.contains('=')
            .then(|| text.to_owned())
            .ok_or_else(|| format!("{text} has no ="))
    }

    fn base() -> Settings {
        let command = Settings::augment_args(Command::new("x"));
        let line = "x --needed 7 --names a,b --url https://base --switch --pause 9s";
        let matches = command.get_matches_from(line.split(' '));
        clap::FromArgMatches::from_arg_matches(&matches).unwrap()
    }

    fn over(section: &str) -> Result<Overlaid<Settings>, Error> {
        let mut file = TenantsFile::parse(&format!("[tenants.kestrel.platform]\n{section}")).unwrap();
        file.environment = |name| match name {
            "KESTREL_SECRET" => Some("s3cret".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let tenant = file.tenants().next().unwrap();
        tenant.over("platform", &base(), |id| id != "listen")
    }

    #[test]
    fn what_a_tenant_says_holds_and_the_rest_is_the_process_s() {
        let none = over("").unwrap().settings;
        assert_eq!((none.needed, none.switch, none.pause.as_secs()), (7, true, 9));
        assert_eq!(none.names, ["a", "b"]);
        let said = over(
            "url = 'https://kestrel'\nsecret = { env = 'KESTREL_SECRET' }\ndelete_mode = 'disable'\npause = '250ms'\n\
             names = ['c', 'd e']\nheaders = { env = 'KESTREL_SECRET_2' }\n",
        );
        assert!(
            said.unwrap_err()
                .to_string()
                .contains("headers: the variable KESTREL_SECRET_2 is not set")
        );
        let said = over(
            "url = 'https://kestrel'\nsecret = { env = 'KESTREL_SECRET' }\ndelete_mode = 'disable'\npause = 3\n\
             names = ['c', 'd e']\ndry_run = true\nswitch = false\nneeded = -4\nshare = 100",
        );
        let said = said.unwrap().settings;
        assert_eq!(said.url.as_deref(), Some("https://kestrel"));
        assert_eq!(said.secret.unwrap().expose_secret(), "s3cret");
        assert_eq!((said.delete_mode, said.pause.as_secs()), (Mode::Disable, 3));
        assert_eq!(said.names, ["c", "d e"]);
        assert!(said.dry_run && !said.switch);
        assert_eq!((said.needed, said.inner.share), (-4, 100));
        assert!(
            over("names = []").unwrap().settings.names.is_empty(),
            "an empty list is one"
        );
        assert_eq!(over("names = 'c,d'").unwrap().settings.names, ["c", "d"]);
        assert_eq!(
            over("url = '--listen=1'").unwrap().settings.url.as_deref(),
            Some("--listen=1")
        );
    }

    #[test]
    fn what_cannot_be_is_refused_with_tenant_section_and_key() {
        for (section, told) in [
            ("nonsense = 1", "nonsense: is no setting"),
            (
                "Delete_Mode = 'disable'",
                "Delete_Mode: is not known; settings are written in small letters: delete_mode",
            ),
            (
                "DELETE-MODE = 'disable'",
                "DELETE-MODE: is not known; settings are written in small letters: delete_mode",
            ),
            ("listen = '127.0.0.1:2'", "listen: is a setting of the whole service"),
            ("secret = 's3cret'", "secret: is a secret"),
            ("secret = ['s3cret']", "secret: is a secret"),
            ("headers = ['x=s3cret']", "headers: is a secret"),
            ("headers = { env = 'KESTREL_SECRET' }", "headers: cannot be used"),
            (
                "secret = { env = 'MISSING' }",
                "secret: the variable MISSING is not set",
            ),
            ("secret = { env = 'EMPTY' }", "secret: the variable EMPTY is not set"),
            (
                "secret = { env = 's3cret' }",
                "secret: the variable that it names is not set",
            ),
            (
                "secret = { env = 's3cret', file = '/s3cret' }",
                "secret: a reference is",
            ),
            ("secret = { vault = 's3cret' }", "secret: a reference is"),
            ("secret = { env = 5 }", "secret: a reference is"),
            ("secret = {}", "secret: a reference is"),
            (
                "secret = { file = '/nowhere/at/all' }",
                "secret: cannot read /nowhere/at/all",
            ),
            ("delete_mode = 'destroy'", "delete_mode: must be one of remove, disable"),
            ("delete_mode = 3", "delete_mode: must be one of remove, disable"),
            ("pause = 'soon'", "pause: \"soon\" is not a duration"),
            ("pause = ['1s']", "pause: takes one value, not a list"),
            ("pause = 1979-05-27", "pause: \"1979-05-27\" is not a duration"),
            ("names = [['a']]", "names: a list has plain values"),
            ("names = ['a,b']", "names: a value of a list has no `,`"),
            ("dry_run = 'perhaps'", "dry_run: must be one of true, false"),
            ("share = 101", "share: 101 is not in 0..=100"),
            ("needed = 'x'", "needed: invalid digit"),
        ] {
            let refused = over(section).unwrap_err();
            let told = format!("TENANTS_FILE: tenants.kestrel.platform.{told}");
            assert!(refused.to_string().starts_with(&told), "{told}\n{refused}");
            let whole = format!("{} {refused:?}", crate::Chain(&refused));
            assert!(!whole.contains("s3cret"), "{whole}");
        }
    }

    #[test]
    fn a_digest_moves_with_secrets_and_with_the_files_that_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let digest = |section: &str| over(section).map(|overlaid| overlaid.digest);
        let referred = format!("secret = {{ file = '{}' }}", path.display());
        let named = format!("secret_file = '{}'", path.display());
        assert!(digest(&referred).is_err());
        let absent = digest(&named).unwrap();
        fs::write(&path, "one\n").unwrap();
        let one = (digest(&referred).unwrap(), digest(&named).unwrap());
        assert_eq!(one, (digest(&referred).unwrap(), digest(&named).unwrap()));
        assert_ne!(one.1, absent);
        fs::write(&path, "two\n").unwrap();
        let two = (digest(&referred).unwrap(), digest(&named).unwrap());
        assert!(one.0 != two.0 && one.1 != two.1);
        assert_eq!(over(&referred).unwrap().settings.secret.unwrap().expose_secret(), "two");
        assert_ne!(digest("names = ['a', 'b']").unwrap(), digest("names = ['a']").unwrap());
        assert_ne!(digest("").unwrap(), digest("names = []").unwrap());
    }

    proptest! {
        #[test]
        fn no_value_makes_the_overlay_panic(
            key in "(url|secret|names|headers|pause|dry_run|switch|needed|share|delete_mode|[a-z]{1,4})",
            value in "('\\PC{0,12}'|[0-9-]{1,20}|true|\\[\\]|\\[1, 'a'\\]|\\{ env = '[A-Z]{1,3}' \\}|\\{ file = '/[a-z]{0,3}' \\}|[0-9.e-]{1,8})",
        ) {
            if TenantsFile::parse(&format!("[tenants.kestrel.platform]\n{key} = {value}")).is_ok() {
                let _ = over(&format!("{key} = {value}"));
            }
        }
    }
}
