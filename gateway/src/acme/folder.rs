//! What is kept on disk, for nobody but the owner: the account at the authority, and the certificate with its key, in one file, so that
//! they cannot come apart. Each authority has a folder of its own: another directory's account is of no use, and neither is the
//! certificate of one that was only tried. Files are written beside and moved, so that one is there as a whole or as it was before; one
//! that cannot be read all the same is as good as none, and is told.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use service_runtime::private;
use sha2::{Digest, Sha256};

use crate::Error;

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";

/// The folder of one authority.
pub(super) struct Folder {
    path: PathBuf,
    /// Held as long as the gateway lives. The system lets go of it when the process ends, however it does.
    _lock: File,
}

/// Why a file is as good as none.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("cannot read {path}", path = .0.display())]
    Io(PathBuf, #[source] io::Error),
    #[error("{path} holds no account", path = .0.display())]
    Account(PathBuf, #[source] serde_json::Error),
    #[error("{path} holds no certificate with its key", path = .0.display())]
    Certificate(PathBuf),
}

/// A certificate, those that lead to its authority, and its key.
pub(super) struct Kept {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Folder {
    /// Opens the folder that belongs to this authority, and takes it for this process alone.
    pub(super) fn open(around: &Path, directory: &str) -> Result<Self, Error> {
        let unusable = |reason: String| Error::setting("--acme-dir", format!("{}: {reason}", around.display()));
        let failed = |error: io::Error| unusable(error.to_string());
        private::make_folder(around).map_err(failed)?;
        let lock = File::create(around.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(unusable("another gateway uses it".to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let path = around.join(name_of(directory));
        private::make_folder(&path).map_err(failed)?;
        Ok(Self { path, _lock: lock })
    }

    /// The account, if there is one.
    pub(super) fn account(&self) -> Result<Option<AccountCredentials>, Unreadable> {
        let path = self.path.join(ACCOUNT);
        let text = read(&path)?;
        let account = text.map(|text| serde_json::from_str(&text)).transpose();
        account.map_err(|error| Unreadable::Account(path, error))
    }

    /// Keeps the account.
    pub(super) fn keep_account(&self, account: &AccountCredentials) -> io::Result<()> {
        self.write(ACCOUNT, &serde_json::to_string(account)?)
    }

    /// Forgets an account that the authority does not know.
    pub(super) fn forget_account(&self) -> io::Result<()> {
        fs::remove_file(self.path.join(ACCOUNT))
    }

    /// The certificate, if there is one.
    pub(super) fn certificate(&self) -> Result<Option<Kept>, Unreadable> {
        let path = self.path.join(CERTIFICATE);
        let text = read(&path)?;
        // A chain that was cut off between two certificates would look like one.
        let whole = |text: &String| text.split_once('\n').is_some_and(|(first, rest)| first == digest(rest));
        let kept = text.map(|text| Some(text).filter(whole).and_then(|text| Kept::from_pem(&text)));
        kept.map(|kept| kept.ok_or(Unreadable::Certificate(path))).transpose()
    }

    /// Keeps a certificate, given as PEM, with its key.
    pub(super) fn keep_certificate(&self, key: &str, chain: &str) -> io::Result<()> {
        let text = format!("{}\n{chain}", key.trim_end());
        self.write(CERTIFICATE, &format!("{}\n{text}", digest(&text)))
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let beside = self.path.join(format!("{name}.new"));
        private::write(&beside, text)?;
        fs::rename(beside, self.path.join(name))?;
        // The new name is on disk when the folder is.
        File::open(&self.path)?.sync_all()
    }
}

impl Kept {
    /// Reads both from one text.
    pub(super) fn from_pem(text: &str) -> Option<Self> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
            .collect::<Result<_, _>>()
            .ok()?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).ok()?;
        (!chain.is_empty()).then_some(Self { chain, key })
    }
}

fn read(path: &Path) -> Result<Option<String>, Unreadable> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Unreadable::Io(path.to_owned(), error)),
    }
}

/// A name that people recognise, and that is no other directory's.
fn name_of(directory: &str) -> String {
    let url = url::Url::parse(directory).ok();
    let host = url.as_ref().and_then(url::Url::host_str).unwrap_or_default();
    let plain = host.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "_");
    format!("{plain}-{}", &digest(directory)[..8])
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rcgen::generate_simple_self_signed;

    use super::*;

    const DIRECTORY: &str = "https://acme.example:14000/dir";

    #[test]
    fn what_is_kept_is_read_back_and_half_a_file_is_as_good_as_none() {
        let around = tempfile::tempdir().unwrap();
        let at = around.path().join("acme");
        let folder = Folder::open(&at, DIRECTORY).unwrap();
        assert!(folder.certificate().unwrap().is_none() && folder.account().unwrap().is_none());
        let made = generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        folder
            .keep_certificate(&made.signing_key.serialize_pem(), &made.cert.pem())
            .unwrap();
        assert_eq!(folder.certificate().unwrap().unwrap().chain, [made.cert.der().clone()]);
        let file = folder.path.join(CERTIFICATE);
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let text = fs::read_to_string(&file).unwrap();
        for cut in [0, 10, 65, text.len() / 3, text.len() - 10, text.len() - 1] {
            fs::write(&file, &text[..cut]).unwrap();
            let error = folder.certificate().map(drop).unwrap_err().to_string();
            assert!(
                error.contains("certificate.pem holds no certificate") && !error.contains("BEGIN"),
                "{error}"
            );
        }
        fs::write(folder.path.join(ACCOUNT), "{\"id\":").unwrap();
        assert!(matches!(folder.account(), Err(Unreadable::Account(..))));
        folder.forget_account().unwrap();
        assert!(folder.account().unwrap().is_none());
        // Left behind by a process that died while it wrote.
        fs::write(folder.path.join("certificate.pem.new"), "half").unwrap();
        folder
            .keep_certificate(&made.signing_key.serialize_pem(), &made.cert.pem())
            .unwrap();
        assert!(folder.certificate().unwrap().is_some());
    }

    #[test]
    fn a_folder_is_one_gateways_and_each_directory_has_its_own_within() {
        let around = tempfile::tempdir().unwrap();
        let folder = Folder::open(around.path(), DIRECTORY).unwrap();
        let error = Folder::open(around.path(), DIRECTORY)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("--acme-dir: ") && error.ends_with("another gateway uses it"),
            "{error}"
        );
        let first = folder.path.clone();
        drop(folder);
        let other = Folder::open(around.path(), "https://acme.example:14000/staging").unwrap();
        assert_ne!(other.path, first);
        let name = first.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("acme.example-"), "{name}");
    }
}
