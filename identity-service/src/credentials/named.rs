//! The credentials that settings name, read and checked.

use std::{fs, path::Path, path::PathBuf, time::Duration};

use uuid::Uuid;

use super::{
    kept::{Credential, Secret, Trust, What},
    secret::{NotAHash, SecretHash},
};
use crate::config::CredentialArgs;

/// The largest file of hashes.
const MOST_BYTES: u64 = 256 << 10;

/// What settings say of a tenant's credentials.
pub struct Named {
    pub(super) credentials: Vec<Credential>,
    pub(super) lifetime: Duration,
    pub(super) rotation: Duration,
}

/// Settings of credentials that cannot be used. No text contains a secret, nor what may be one.
#[derive(Debug, thiserror::Error)]
pub enum NamedError {
    /// The file with hashes cannot be read.
    #[error("BEARER_TOKEN_SHA256_FILE: cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A value is no hash.
    #[error("{setting}")]
    Hash {
        /// The setting.
        setting: &'static str,
        /// What it should be.
        #[source]
        source: NotAHash,
    },
    /// A setting that cannot be, or that another one needs.
    #[error("{setting} {problem}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
}

fn wrong(setting: &'static str, problem: &'static str) -> NamedError {
    NamedError::Setting { setting, problem }
}

impl Named {
    /// Reads what the settings say.
    pub fn read(args: &CredentialArgs) -> Result<Self, NamedError> {
        let mut credentials = bearer_tokens(args)?;
        credentials.extend(client(args)?);
        credentials.extend(entra_token(args)?);
        for at in 1..credentials.len() {
            let (before, rest) = credentials.split_at(at);
            if before
                .iter()
                .any(|other| other.id == rest[0].id || other.name == rest[0].name)
            {
                return Err(wrong(
                    "BEARER_TOKEN_SHA256",
                    "and its file name a hash, or a name, twice",
                ));
            }
        }
        Ok(Self {
            credentials,
            lifetime: args.access_token_lifetime,
            rotation: args.signing_key_rotation,
        })
    }

    /// By what each is told from all others, whoever's they are. It shows no secret.
    pub(crate) fn marks(&self) -> impl Iterator<Item = String> {
        self.credentials.iter().flat_map(|credential| match &credential.what {
            What::BearerToken { sha256, .. } => vec![format!("a bearer token ({})", sha256.short())],
            What::Client { client_id, .. } | What::WorkloadIdentity { client_id, .. } => {
                vec![format!("the OAuth client {client_id}")]
            }
            What::EntraToken { trust } => {
                let (tenant, audiences) = (&trust.entra_tenant_id, trust.audiences.iter());
                let of = |audience| format!("tokens of the Entra tenant {tenant} for {audience}");
                audiences.map(of).collect()
            }
        })
    }

    /// Whether settings let nobody in.
    pub fn is_empty(&self) -> bool {
        self.credentials.is_empty()
    }
}

fn bearer_tokens(args: &CredentialArgs) -> Result<Vec<Credential>, NamedError> {
    const DIRECT: &str = "BEARER_TOKEN_SHA256";
    const FILE: &str = "BEARER_TOKEN_SHA256_FILE";
    let hash = |setting: &'static str, text: &str| {
        let parsed: Result<SecretHash, _> = text.parse();
        parsed.map_err(|source| NamedError::Hash { setting, source })
    };
    let token = |sha256: SecretHash, name: Option<&str>| Credential {
        id: format!("settings-{}", sha256.short()),
        name: name.map_or_else(|| format!("bearer-{}", sha256.short()), str::to_owned),
        created: None,
        made_by: None,
        what: What::BearerToken { sha256, expires: None },
    };
    let mut tokens = Vec::new();
    for text in parts(args.bearer_token_sha256.as_deref()) {
        tokens.push(token(hash(DIRECT, text)?, None));
    }
    let path = args.bearer_token_sha256_file.as_deref();
    if let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) {
        for line in read_file(path)?.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(first) = words.next() else { continue };
            let name = words.next();
            if words.next().is_some() || name.is_some_and(|name| !super::is_name(name)) {
                return Err(wrong(FILE, "has a line that is not a hash and a name"));
            }
            tokens.push(token(hash(FILE, first)?, name));
        }
    }
    Ok(tokens)
}

fn read_file(path: &Path) -> Result<String, NamedError> {
    let failed = |source| NamedError::File {
        path: path.to_owned(),
        source,
    };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > MOST_BYTES {
        return Err(wrong("BEARER_TOKEN_SHA256_FILE", "names a file of more than 256 KiB"));
    }
    fs::read_to_string(path).map_err(failed)
}

fn client(args: &CredentialArgs) -> Result<Option<Credential>, NamedError> {
    const ID: &str = "OAUTH_CLIENT_ID";
    const SECRET: &str = "OAUTH_CLIENT_SECRET_SHA256";
    const TENANT: &str = "OAUTH_CLIENT_ENTRA_TENANT";
    let id = args.oauth_client_id.as_deref().filter(|id| !id.is_empty());
    let mut secrets = Vec::new();
    for text in parts(args.oauth_client_secret_sha256.as_deref()) {
        let sha256: SecretHash = text.parse().map_err(|source| NamedError::Hash {
            setting: SECRET,
            source,
        })?;
        secrets.push(Secret {
            id: format!("settings-{}", sha256.short()),
            sha256,
            created: None,
            expires: None,
            made_by: None,
        });
    }
    let tenant = args.oauth_client_entra_tenant.as_deref().filter(|id| !id.is_empty());
    let Some(client_id) = id else {
        return match (secrets.is_empty(), tenant) {
            (true, None) => Ok(None),
            _ => Err(wrong(ID, "must be set with the client's secret or Entra tenant")),
        };
    };
    if !is_client_id(client_id) {
        return Err(wrong(ID, "has up to 128 printable characters without `:`"));
    }
    if secrets.len() > 2 {
        return Err(wrong(SECRET, "has at most two hashes"));
    }
    let client_id = client_id.to_owned();
    let what = match tenant {
        None if secrets.is_empty() => return Err(wrong(SECRET, "must be set, or OAUTH_CLIENT_ENTRA_TENANT")),
        None => What::Client { client_id, secrets },
        Some(tenant) => {
            let subject = args.oauth_client_entra_subject.as_deref().unwrap_or_default();
            let trust = Trust {
                entra_tenant_id: uuid(TENANT, tenant)?,
                subject: uuid("OAUTH_CLIENT_ENTRA_SUBJECT", subject)?,
                audiences: some("OAUTH_CLIENT_ENTRA_AUDIENCE", &args.oauth_client_entra_audience)?,
                applications: uuids("OAUTH_CLIENT_ENTRA_APPLICATION", &args.oauth_client_entra_application)?,
            };
            What::WorkloadIdentity {
                client_id,
                trust,
                secrets,
            }
        }
    };
    Ok(Some(Credential {
        id: "settings-client".to_owned(),
        name: "client".to_owned(),
        created: None,
        made_by: None,
        what,
    }))
}

fn entra_token(args: &CredentialArgs) -> Result<Option<Credential>, NamedError> {
    let Some(tenant) = args.entra_token_tenant.as_deref().filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    let trust = Trust {
        entra_tenant_id: uuid("ENTRA_TOKEN_TENANT", tenant)?,
        subject: String::new(),
        audiences: some("ENTRA_TOKEN_AUDIENCE", &args.entra_token_audience)?,
        applications: uuids("ENTRA_TOKEN_APPLICATION", &args.entra_token_application)?,
    };
    Ok(Some(Credential {
        id: "settings-entra-token".to_owned(),
        name: "entra-token".to_owned(),
        created: None,
        made_by: None,
        what: What::EntraToken { trust },
    }))
}

fn parts(text: Option<&str>) -> impl Iterator<Item = &str> {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Basic authentication ends it at the first colon (RFC 7617 §2).
pub(super) fn is_client_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

/// Ids of Entra are UUIDs, and compared in lower case.
fn uuid(setting: &'static str, text: &str) -> Result<String, NamedError> {
    let parsed = Uuid::try_parse(text.trim()).map_err(|_| wrong(setting, "must be a UUID"))?;
    Ok(parsed.hyphenated().to_string())
}

fn uuids(setting: &'static str, texts: &[String]) -> Result<Vec<String>, NamedError> {
    let texts = some(setting, texts)?;
    texts.iter().map(|text| uuid(setting, text)).collect()
}

fn some(setting: &'static str, texts: &[String]) -> Result<Vec<String>, NamedError> {
    let texts: Vec<_> = texts
        .iter()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect();
    if texts.is_empty() {
        return Err(wrong(setting, "must have a value"));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "6E1F0C46-0B7D-4C8D-9F4E-0C0FDB6C0001";
    const SUBJECT: &str = "6e1f0c46-0b7d-4c8d-9f4e-0c0fdb6c0002";

    fn hash(text: &str) -> String {
        SecretHash::of(&text.into()).to_string()
    }

    #[test]
    fn credentials_come_from_settings_and_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hashes");
        let lines = format!("# rotated in May\n{}  entra-2027 # Entra\n\n{}\n", hash("a"), hash("b"));
        fs::write(&path, lines).unwrap();
        let args = CredentialArgs {
            bearer_token_sha256: Some(format!("{}, {},", hash("c"), hash("d").to_uppercase())),
            bearer_token_sha256_file: Some(path),
            oauth_client_id: Some("entra".to_owned()),
            oauth_client_secret_sha256: Some(hash("e")),
            oauth_client_entra_tenant: Some(TENANT.to_owned()),
            oauth_client_entra_subject: Some(SUBJECT.to_owned()),
            oauth_client_entra_audience: vec!["api://x".to_owned()],
            entra_token_tenant: Some(TENANT.to_owned()),
            ..CredentialArgs::default()
        };
        let named = Named::read(&args).unwrap();
        let names: Vec<_> = named.credentials.iter().map(|one| one.name.clone()).collect();
        let bearer = |text: &str| format!("bearer-{}", &hash(text)[..8]);
        let expected = [bearer("c"), bearer("d"), "entra-2027".to_owned(), bearer("b")];
        assert_eq!(names[..4], expected);
        assert_eq!(names[4..], ["client", "entra-token"]);
        let What::WorkloadIdentity { trust, secrets, .. } = &named.credentials[4].what else {
            panic!("the client shows assertions")
        };
        assert_eq!(
            (trust.entra_tenant_id.as_str(), secrets.len()),
            (&*TENANT.to_lowercase(), 1)
        );
        assert!(Named::read(&CredentialArgs::default()).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_its_setting_and_never_shown() {
        let secret = "dsg_the-token-itself";
        type Set = fn(&mut CredentialArgs);
        let table: [(&str, Set); 8] = [
            ("BEARER_TOKEN_SHA256", |args| {
                args.bearer_token_sha256 = Some("dsg_the-token-itself".to_owned());
            }),
            ("BEARER_TOKEN_SHA256 ", |args| {
                args.bearer_token_sha256 = Some(format!("{0},{0}", hash("a")));
            }),
            ("BEARER_TOKEN_SHA256_FILE", |args| {
                args.bearer_token_sha256_file = Some("/nowhere/at/all".into());
            }),
            ("OAUTH_CLIENT_ID", |args| {
                args.oauth_client_secret_sha256 = Some(hash("a"));
            }),
            ("OAUTH_CLIENT_SECRET_SHA256", |args| {
                args.oauth_client_id = Some("entra".to_owned());
            }),
            ("OAUTH_CLIENT_SECRET_SHA256", |args| {
                args.oauth_client_id = Some("entra".to_owned());
                args.oauth_client_secret_sha256 = Some("dsg_the-token-itself".to_owned());
            }),
            ("OAUTH_CLIENT_ENTRA_SUBJECT", |args| {
                args.oauth_client_id = Some("entra".to_owned());
                args.oauth_client_entra_tenant = Some(TENANT.to_owned());
            }),
            ("ENTRA_TOKEN_TENANT", |args| {
                args.entra_token_tenant = Some("contoso".to_owned());
            }),
        ];
        for (setting, set) in table {
            let mut args = CredentialArgs::default();
            set(&mut args);
            let error = Named::read(&args).err().unwrap();
            assert!(error.to_string().starts_with(setting), "{error}");
            assert!(!format!("{error:?}").contains(secret), "{error:?}");
        }
    }
}
