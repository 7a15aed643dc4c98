//! An authority of a server's own, and a certificate by it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Files of a folder, in PEM.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) ca: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Tls {
    /// Makes them.
    pub(crate) fn make(folder: &Path) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = "an authority for tests";
        authority.distinguished_name.push(DnType::CommonName, name);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();

        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(names).unwrap();
        let server = server.signed_by(&key, &authority).unwrap();

        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        Self {
            ca: file("ca.pem", &authority.pem()),
            cert: file("cert.pem", &server.pem()),
            key: file("key.pem", &key.serialize_pem()),
        }
    }

    /// As lines of `redis.conf`.
    pub(crate) fn config(&self) -> String {
        let Self { ca, cert, key } = self;
        format!(
            "tls-ca-cert-file {}\ntls-cert-file {}\ntls-key-file {}\ntls-auth-clients optional\n\
             tls-replication yes\ntls-cluster yes\n",
            ca.display(),
            cert.display(),
            key.display()
        )
    }

    /// As arguments of `redis-cli`.
    pub(crate) fn arguments(&self) -> [String; 7] {
        let path = |path: &Path| path.display().to_string();
        let [tls, ca, cert, key] = ["--tls", "--cacert", "--cert", "--key"].map(str::to_owned);
        [tls, ca, path(&self.ca), cert, path(&self.cert), key, path(&self.key)]
    }
}
