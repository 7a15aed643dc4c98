//! Certificates that the gateway gets by itself (RFC 8555): from Let's Encrypt, or any authority that speaks ACME. It proves that
//! the names are ours on its own port (TLS-ALPN-01, RFC 8737) or by HTTP (HTTP-01), keeps account and certificate on disk, and renews
//! in good time.
//!
//! The rest of the gateway sees a [`Tls`] and nothing else. This module knows neither SCIM nor credentials of clients.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use rustls::pki_types::DnsName;
use service_runtime::{ConnectionLimits, Lifecycle, Listener, Tls, install_crypto_provider};
use url::Url;

use crate::Error;

mod answers;
mod folder;
mod order;
mod renewal;

use answers::Answers;
use folder::Folder;
use order::Authority;
use renewal::Renewal;

/// Most names of one certificate, by Let's Encrypt's limits.
const MOST_NAMES: usize = 100;

/// How the gateway gets certificates by itself.
#[derive(clap::Args, Clone, Debug)]
pub struct AcmeArgs {
    /// Names, separated by commas, for which the gateway gets its certificate by itself, by ACME; with them it speaks TLS. Instead of
    /// TLS_CERT_FILE and TLS_KEY_FILE.
    #[arg(long, env = "ACME_DOMAINS", value_name = "NAMES", value_delimiter = ',')]
    pub acme_domains: Vec<String>,
    /// That you accept the terms of the authority behind ACME_DIRECTORY_URL, which must be said.
    #[arg(long, env = "ACME_ACCEPT_TERMS", value_parser = clap::builder::FalseyValueParser::new())]
    pub acme_accept_terms: bool,
    /// Mail addresses, separated by commas, that the authority may write to.
    #[arg(long, env = "ACME_CONTACT", value_name = "ADDRESSES", value_delimiter = ',')]
    pub acme_contact: Vec<String>,
    /// Folder that account, key and certificate are kept in. It is made if it does not exist, must outlive the gateway, and belongs to one
    /// gateway alone.
    #[arg(long, env = "ACME_DIR", value_name = "FOLDER", default_value = "./acme")]
    pub acme_dir: PathBuf,
    /// How the authority is shown that the names are ours: `tls-alpn-01` on LISTEN, which must be port 443 for the world, or `http-01` on
    /// ACME_HTTP_LISTEN, which must be its port 80.
    #[arg(long, env = "ACME_CHALLENGE", value_enum, default_value_t)]
    pub acme_challenge: AcmeChallenge,
    /// Address that `http-01` is answered on; nothing else is served there.
    #[arg(long, env = "ACME_HTTP_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:80")]
    pub acme_http_listen: std::net::SocketAddr,
    /// The authority's directory.
    #[arg(
        long,
        env = "ACME_DIRECTORY_URL",
        value_name = "URL",
        default_value = "https://acme-v02.api.letsencrypt.org/directory"
    )]
    pub acme_directory_url: String,
    /// File with the certificate (PEM) that the directory's own is checked against; those of the system when absent.
    #[arg(long, env = "ACME_CA_FILE", value_name = "FILE")]
    pub acme_ca_file: Option<PathBuf>,
}

/// How an authority is shown that a name is ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AcmeChallenge {
    /// By a certificate on the gateway's own port.
    #[default]
    #[value(name = "tls-alpn-01")]
    TlsAlpn01,
    /// By a file over HTTP.
    #[value(name = "http-01")]
    Http01,
}

impl Default for AcmeArgs {
    fn default() -> Self {
        Self {
            acme_domains: Vec::new(),
            acme_accept_terms: false,
            acme_contact: Vec::new(),
            acme_dir: PathBuf::from("./acme"),
            acme_challenge: AcmeChallenge::default(),
            acme_http_listen: std::net::SocketAddr::from(([0, 0, 0, 0], 80)),
            acme_directory_url: "https://acme-v02.api.letsencrypt.org/directory".to_owned(),
            acme_ca_file: None,
        }
    }
}

impl AcmeArgs {
    /// Whether the gateway gets its certificate by itself.
    pub fn is_on(&self) -> bool {
        !self.acme_domains.is_empty()
    }

    /// Whether the settings fit together.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !self.is_on() {
            return Ok(());
        }
        if !self.acme_accept_terms {
            let reason = "must be set: the authority asks for your consent to its terms";
            return Err(Error::setting("--acme-accept-terms", reason));
        }
        if self.acme_domains.len() > MOST_NAMES {
            let reason = format!("has more than the {MOST_NAMES} names that one certificate can be for");
            return Err(Error::setting("--acme-domains", reason));
        }
        if let Some(name) = self.acme_domains.iter().find(|name| !is_name(name)) {
            let reason =
                format!("{name:?} is no name of a host; wildcards and addresses cannot be had by these challenges");
            return Err(Error::setting("--acme-domains", reason));
        }
        let is_address = |text: &String| text.contains('@') && !text.contains([' ', ':']);
        if let Some(other) = self.acme_contact.iter().find(|text| !is_address(text)) {
            return Err(Error::setting(
                "--acme-contact",
                format!("{other:?} is no mail address"),
            ));
        }
        let url = Url::parse(&self.acme_directory_url).ok();
        if !url.is_some_and(|url| url.scheme() == "https" && url.has_host()) {
            let reason = "expected an address such as https://acme-v02.api.letsencrypt.org/directory";
            return Err(Error::setting("--acme-directory-url", reason));
        }
        Ok(())
    }

    /// The names as they are compared.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .acme_domains
            .iter()
            .map(|name| name.trim().to_ascii_lowercase())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// TLS by a certificate of the authority's, which the one on disk stands in for until there is a newer one. Both end with the
    /// service. What answers the authority listens when this returns.
    pub(crate) async fn tls(&self, lifecycle: &Lifecycle) -> Result<Option<Tls>, Error> {
        if !self.is_on() {
            return Ok(None);
        }
        install_crypto_provider();
        let folder = Folder::open(&self.acme_dir, &self.acme_directory_url)?;
        let answers = Arc::new(Answers::default());
        if self.acme_challenge == AcmeChallenge::Http01 {
            let listener = service_runtime::bind(self.acme_http_listen)
                .await
                .map_err(Error::Start)?;
            let limits = ConnectionLimits {
                per_address: Some(64),
                first_request: Some(std::time::Duration::from_secs(10)),
                stalled: Some(std::time::Duration::from_secs(10)),
                ..ConnectionLimits::default()
            };
            let listener = Listener::from(listener).with_limits(limits);
            lifecycle.serve_beside(listener, answers::router(Arc::clone(&answers)));
        }
        let authority = Authority {
            names: self.names(),
            contact: self
                .acme_contact
                .iter()
                .map(|address| format!("mailto:{address}"))
                .collect(),
            directory: self.acme_directory_url.clone(),
            ca_file: self.acme_ca_file.clone(),
            challenge: self.acme_challenge,
            answers: Arc::clone(&answers),
        };
        let (renewal, tls) = Renewal::new(authority, folder, &lifecycle.readiness);
        lifecycle.tasks.spawn("certificate by ACME", |stop| renewal.run(stop));
        Ok(Some(tls))
    }
}

/// A name that a certificate can be for, without a wildcard.
fn is_name(name: &str) -> bool {
    let name = name.trim();
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    DnsName::try_from(name).is_ok() && name.contains('.') && !name.ends_with('.') && !is_address
}
