//! An authority of a test's own, and what it certifies.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType, date_time_ymd};
use service_runtime::{GrpcArgs, GrpcCallArgs};

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes the authority's own certificate.
    pub(super) fn write(&self, path: &Path) {
        std::fs::write(path, self.0.pem()).unwrap();
    }

    /// Writes certificate and key of who has these DNS names, or URIs.
    pub(super) fn certify(&self, names: &[&str], pair: &Pair) {
        self.sign(&params(names), pair);
    }

    /// The same, and the certificate is one of long ago.
    pub(super) fn certify_expired(&self, names: &[&str], pair: &Pair) {
        let mut params = params(names);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.sign(&params, pair);
    }

    fn sign(&self, params: &CertificateParams, pair: &Pair) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        std::fs::write(&pair.certificate, certificate.pem()).unwrap();
        std::fs::write(&pair.key, key.serialize_pem()).unwrap();
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.contains("://") {
            true => SanType::URI((*name).try_into().unwrap()),
            false => SanType::DnsName((*name).try_into().unwrap()),
        })
        .collect();
    params
}

/// Where a certificate and its key are.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Pair {
    pub(super) fn in_folder(folder: &Path, name: &str) -> Self {
        let [certificate, key] = ["cert", "key"].map(|part| folder.join(format!("{name}-{part}.pem")));
        Self { certificate, key }
    }

    /// Settings of a caller with this certificate who trusts that authority.
    pub(super) fn calling(&self, ca: &Path) -> GrpcCallArgs {
        GrpcCallArgs {
            own: GrpcArgs {
                grpc_cert_file: Some(self.certificate.clone()),
                grpc_key_file: Some(self.key.clone()),
                ..GrpcArgs::default()
            },
            grpc_ca_file: Some(ca.to_owned()),
        }
    }
}
