//! Many tenants in one deployment: a file (TOML) that has a table for each tenant and in it a section for each service that
//! needs settings of its own for it, `[tenants.NAME.SECTION]`. What a section says is laid over the process's settings
//! ([`Tenant::over`]), so that a tenant's setting has the name, the parser and the meaning of the process's, and what a tenant
//! does not say holds as the process's settings say. [`Follower`] keeps up with the file.
//!
//! Secrets stand in the file by reference only. This module knows which sections there may be, and nothing of what is in
//! them. No value of the file reaches an error: it might be a secret in the wrong place.

mod follow;
mod live;
mod overlay;
mod watched;
mod workers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::{Table, Value};

pub use follow::{Follower, Refused};
pub use live::Live;
pub use overlay::Overlaid;
pub use watched::Digest;
pub use workers::Workers;

use crate::Error;
use crate::settings::parse_duration;
use watched::Watched;

/// delinea-adapter's section: the Platform tenant.
pub const PLATFORM: &str = "platform";
/// identity-service's section: policies, brakes, schemas, deliveries.
pub const DIRECTORY: &str = "directory";
/// identity-service's section of who may call SCIM as this tenant.
pub const CREDENTIALS: &str = "credentials";
const SECTIONS: [&str; 3] = [PLATFORM, DIRECTORY, CREDENTIALS];

/// No file of tenants is larger.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// So many tenants have a deployment at most.
const MAX_TENANTS: usize = 1_000;
/// A label of a host name (RFC 1123 §2.1): it goes into keys, metrics and URLs as it is.
const MAX_NAME: usize = 63;
/// How much of a word that is not known an error shows.
const SHOWN: usize = 64;

/// Where the tenants' settings are, if there are many tenants; see docs/tenants.md.
#[derive(clap::Args, Clone, Debug)]
pub struct TenantsArgs {
    /// File with the settings of each tenant, where one deployment serves several; see docs/tenants.md.
    #[arg(long, env = "TENANTS_FILE", value_name = "FILE")]
    pub tenants_file: Option<PathBuf>,
    /// How often it is looked whether TENANTS_FILE, or a file that it names, has changed; a change is taken when it was seen twice.
    /// 0 looks on SIGHUP only.
    #[arg(long, env = "TENANTS_POLL", value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    pub tenants_poll: Duration,
}

impl Default for TenantsArgs {
    fn default() -> Self {
        Self {
            tenants_file: None,
            tenants_poll: Duration::from_secs(2),
        }
    }
}

impl TenantsArgs {
    /// The file, where there is one.
    pub fn file(&self) -> Option<&Path> {
        self.tenants_file.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    /// Reads the file now, where there is one.
    pub fn read(&self) -> Result<Option<TenantsFile>, Error> {
        self.file().map(TenantsFile::read).transpose()
    }
}

/// What a file of tenants says, as far as that can be told without knowing any setting.
#[derive(Debug)]
pub struct TenantsFile {
    tenants: BTreeMap<String, BTreeMap<String, Table>>,
    /// The files that its settings name, as they were when they were read.
    watched: Watched,
    environment: fn(&str) -> Option<String>,
}

/// One tenant of the file.
#[derive(Clone, Copy, Debug)]
pub struct Tenant<'a> {
    name: &'a str,
    sections: &'a BTreeMap<String, Table>,
    file: &'a TenantsFile,
}

impl TenantsFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = watched::read(path, MAX_FILE_BYTES).map_err(|source| Error::TenantsFile {
            path: path.to_owned(),
            source,
        })?;
        let text = String::from_utf8(text).map_err(|_| wrong("", "the file is not UTF-8"))?;
        Self::parse(&text)
    }

    /// Reads a file's text: at least one tenant, names that can be used, and known sections.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(wrong("", "the file is larger than 1 MiB"));
        }
        let mut file: Table = text.parse().map_err(|error: toml::de::Error| syntax(text, &error))?;
        let tenants = file.remove("tenants");
        if let Some(other) = file.keys().next() {
            let reason = format!(
                "is not known; everything stands in [tenants.NAME.SECTION], SECTION is one of {}",
                list()
            );
            return Err(wrong(&shown(other), reason));
        }
        let tenants = match tenants {
            Some(Value::Table(tenants)) if !tenants.is_empty() => tenants,
            Some(Value::Table(_)) | None => return Err(wrong("tenants", "has no tenant; at least one is needed")),
            Some(_) => return Err(wrong("tenants", "is not a table")),
        };
        if tenants.len() > MAX_TENANTS {
            return Err(wrong("tenants", format!("has more than {MAX_TENANTS} tenants")));
        }
        let tenants = tenants.into_iter().map(|(name, value)| {
            let place = format!("tenants.{}", shown(&name));
            check_name(&name).map_err(|reason| wrong(&place, reason))?;
            let sections = table(&place, value)?.into_iter().map(|(section, value)| {
                let place = format!("{place}.{}", shown(&section));
                if !SECTIONS.contains(&section.as_str()) {
                    return Err(wrong(
                        &place,
                        format!("is not known; the sections of a tenant are {}", list()),
                    ));
                }
                Ok((section, table(&place, value)?))
            });
            Ok((name, sections.collect::<Result<_, Error>>()?))
        });
        Ok(Self {
            tenants: tenants.collect::<Result<_, Error>>()?,
            watched: Watched::default(),
            environment: |name| std::env::var(name).ok(),
        })
    }

    /// The tenants, by name.
    pub fn tenants(&self) -> impl Iterator<Item = Tenant<'_>> {
        self.tenants.iter().map(|(name, sections)| Tenant {
            name,
            sections,
            file: self,
        })
    }
}

impl<'a> Tenant<'a> {
    /// Its name.
    pub fn name(&self) -> &'a str {
        self.name
    }
}

/// Whether a text can be a tenant's name: small letters, digits and hyphens, none at the ends.
fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = name.bytes().next().is_some_and(is_plain) && name.bytes().last().is_some_and(is_plain);
    if ends && name.len() <= MAX_NAME && name.bytes().all(|byte| is_plain(byte) || byte == b'-') {
        return Ok(());
    }
    Err(format!(
        "is no name of a tenant: small letters, digits and hyphens (none at an end), {MAX_NAME} at most"
    ))
}

fn table(place: &str, value: Value) -> Result<Table, Error> {
    match value {
        Value::Table(table) => Ok(table),
        _ => Err(wrong(place, "is not a table")),
    }
}

fn list() -> String {
    SECTIONS.join(", ")
}

/// An error at a place of the file.
fn wrong(place: &str, reason: impl Into<String>) -> Error {
    let setting = if place.is_empty() {
        "TENANTS_FILE".to_owned()
    } else {
        format!("TENANTS_FILE: {place}")
    };
    Error::setting(setting, reason)
}

/// What the parser said and on which line; never the line itself, which may hold a secret.
fn syntax(text: &str, error: &toml::de::Error) -> Error {
    let before = error.span().and_then(|span| text.as_bytes().get(..span.start));
    let line = before.map(|before| before.iter().filter(|byte| **byte == b'\n').count() + 1);
    // What follows may be of the file.
    let what = error.message().split([',', ':', '`']).next().unwrap_or_default().trim();
    wrong(&line.map_or_else(String::new, |line| format!("line {line}")), what)
}

/// A word of the file's, short and without what a terminal would act on.
fn shown(word: &str) -> String {
    let plain = |c: &char| c.is_ascii_graphic();
    if word.len() <= SHOWN && !word.is_empty() && word.chars().all(|c| plain(&c)) {
        return word.to_owned();
    }
    let start: String = word.chars().take(SHOWN).collect();
    format!("{start:?}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> String {
        let error = TenantsFile::parse(text).unwrap_err();
        assert!(error.to_string().starts_with("TENANTS_FILE"), "{error}");
        error.to_string()
    }

    #[test]
    fn a_file_has_tenants_with_sections() {
        let file = TenantsFile::parse(
            "[tenants.kestrel.platform]\nplatform_url = 'https://k'\n[tenants.kestrel.directory]\n[tenants.merlin]\n",
        );
        let file = file.unwrap();
        let names: Vec<_> = file.tenants().map(|tenant| tenant.name()).collect();
        assert_eq!(names, ["kestrel", "merlin"]);
    }

    #[test]
    fn what_is_no_file_of_tenants_is_refused_and_its_place_is_named() {
        let long = format!("[tenants.{}.platform]", "a".repeat(64));
        let many: String = (0..=MAX_TENANTS)
            .map(|n| format!("[tenants.t{n}.platform]\n"))
            .collect();
        let large = "#".repeat(MAX_FILE_BYTES as usize + 1);
        for (text, told) in [
            ("", "at least one"),
            ("[tenants]", "at least one"),
            ("tenants = 1", "tenants: is not a table"),
            ("[tenant.a.platform]", "tenant: is not known"),
            ("[tenants.a]\nplatform = 1", "tenants.a.platform: is not a table"),
            ("[tenants]\na = true", "tenants.a: is not a table"),
            ("[tenants.a.gateway]", "tenants.a.gateway: is not known"),
            ("[tenants.a.Platform]", "tenants.a.Platform: is not known"),
            ("[tenants.Kestrel.platform]", "tenants.Kestrel: is no name"),
            // Names that differ by case alone are not two tenants.
            (
                "[tenants.kestrel.platform]\n[tenants.KESTREL.platform]",
                "tenants.KESTREL: is no name",
            ),
            ("[tenants.-a.platform]", "is no name"),
            ("[tenants.a-.platform]", "is no name"),
            ("[tenants.'a b'.platform]", "is no name"),
            ("[tenants.'{a}'.platform]", "is no name"),
            ("[tenants.''.platform]", "is no name"),
            ("[tenants.a_b.platform]", "is no name"),
            (&long, "is no name"),
            (&many, "more than 1000"),
            (&large, "larger than 1 MiB"),
            ("[tenants.a.platform]\n[tenants.a.platform]", "line 2: duplicate key"),
            ("[tenants.a.platform]\nx = 1\nx = 2", "line 3: duplicate key"),
            ("[tenants.a.platform]\nplatform_url = \"http", "line 2"),
            ("[tenants.a.plat", "line 1"),
        ] {
            let refused = refusal(text);
            assert!(refused.contains(told), "{told}: {refused}");
        }
    }

    #[test]
    fn an_error_of_the_parser_shows_nothing_of_the_file() {
        for text in [
            "[tenants.a.platform]\nplatform_client_secret = s3cret",
            "[tenants.a.platform]\nplatform_client_secret = \"s3cret\nx = 1",
            "s3cret",
            "[s3cret\n",
            "[tenants.a.platform]\nplatform_client_secret = \"\\s3cret\"",
        ] {
            let refused = refusal(text);
            assert!(!refused.contains("s3c"), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC*|[\\[\\]a-c.='\"{}\n ]*") {
            let _ = TenantsFile::parse(&text);
        }

        #[test]
        fn no_cut_or_flipped_file_makes_the_reader_panic(cut in 0..160_usize, at in 0..160_usize, byte: u8) {
            let whole = b"[tenants.kestrel.platform]\nplatform_url = \"https://k.example\"\nprotected_names = ['a', \"b\"]\n\
                [tenants.merlin.directory]\nmax_removals_per_hour = 30\n".to_vec();
            let mut text = whole[..cut.min(whole.len())].to_vec();
            if let Some(place) = text.get_mut(at) {
                *place = byte;
            }
            let _ = TenantsFile::parse(&String::from_utf8_lossy(&text));
        }
    }
}
