//! The names in a caller's certificate. That its authority vouches for it was checked when it was shown.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The DNS names and URIs that the certificate is for (RFC 5280 §4.2.1.6), in their order; none if it cannot be read. The common
/// name is no name to be known by.
pub(super) fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let Ok(Some(alternatives)) = parsed.subject_alternative_name() else {
        return Vec::new();
    };
    let names = alternatives.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        _ => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    #[test]
    fn dns_names_and_uris_are_names() {
        let mut params = CertificateParams::new(["portal.example".to_owned(), "192.0.2.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "reporting.example");
        let uri = SanType::URI("spiffe://corp.example/portal".try_into().unwrap());
        params.subject_alt_names.push(uri);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(
            names(certificate.der()),
            ["portal.example", "spiffe://corp.example/portal"]
        );
        assert!(names(&CertificateDer::from_slice(b"nothing")).is_empty());
    }
}
