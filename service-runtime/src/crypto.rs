//! The one crypto provider of the process: ring. rustls' providers are not additive, and a TLS client built before one
//! is installed panics; so this is the first line of each `main` and of a test's set-up.

/// Makes ring the process's crypto provider. May be called any number of times.
pub fn install_crypto_provider() {
    // An error only says that one is installed already; ring is the only one in the tree.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    #[test]
    fn may_be_called_twice() {
        super::install_crypto_provider();
        super::install_crypto_provider();
        assert!(rustls::crypto::CryptoProvider::get_default().is_some());
    }
}
