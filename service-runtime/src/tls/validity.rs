//! From when until when a certificate is valid, and for which names. Reads what stands there, and checks no signature.

use std::fmt;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::Error;

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Its first moment.
    pub not_before: Timestamp,
    /// Its last moment.
    pub not_after: Timestamp,
}

/// Why a certificate is not valid at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Its time has not come; or the clock is wrong.
    #[error("the certificate is not valid before {0}")]
    Early(Timestamp),
    /// Its time is over.
    #[error("the certificate expired at {0}")]
    Expired(Timestamp),
}

impl Validity {
    /// Reads it from a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let parsed = parse(certificate)?;
        let validity = parsed.validity();
        let moment = |seconds| Timestamp::from_second(seconds).map_err(unreadable);
        Ok(Self {
            not_before: moment(validity.not_before.timestamp())?,
            not_after: moment(validity.not_after.timestamp())?,
        })
    }

    /// Whether the certificate is valid at a moment (RFC 5280 §4.1.2.5: both ends belong to it).
    pub fn check(&self, now: Timestamp) -> Result<(), Invalid> {
        if now < self.not_before {
            Err(Invalid::Early(self.not_before))
        } else if now > self.not_after {
            Err(Invalid::Expired(self.not_after))
        } else {
            Ok(())
        }
    }

    /// The DNS names that the certificate is for, as they stand there.
    pub fn names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, Error> {
        let parsed = parse(certificate)?;
        let alternatives = parsed.subject_alternative_name().map_err(unreadable)?;
        let names = alternatives.iter().flat_map(|names| &names.value.general_names);
        let dns = names.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        });
        Ok(dns.collect())
    }
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(unreadable)?;
    Ok(parsed)
}

fn unreadable(error: impl fmt::Display) -> Error {
    Error::tls("the certificate", error.to_string())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn a_certificate_says_when_and_for_whom_it_is_valid() {
        let mut params = CertificateParams::new(["a.example".to_owned(), "b.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2025, 3, 1);
        params.not_after = date_time_ymd(2055, 3, 1);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let validity = Validity::of(certificate.der()).unwrap();
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        let (first, last) = (moment("2025-03-01T00:00:00Z"), moment("2055-03-01T00:00:00Z"));
        for (now, expected) in [
            ("2025-02-28T23:59:59Z", Err(Invalid::Early(first))),
            ("2025-03-01T00:00:00Z", Ok(())),
            ("2055-03-01T00:00:00Z", Ok(())),
            ("2055-03-01T00:00:01Z", Err(Invalid::Expired(last))),
        ] {
            assert_eq!(validity.check(moment(now)), expected, "{now}");
        }
        assert_eq!(Validity::names(certificate.der()).unwrap(), ["a.example", "b.example"]);
        Validity::of(&CertificateDer::from_slice(b"nothing")).unwrap_err();
    }
}
