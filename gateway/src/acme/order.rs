//! One order at the authority, from the account to the certificate (RFC 8555 §7). Every step may fail, and then the whole is done
//! again later: an order that was left behind costs the authority a row, and expires.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use service_runtime::Chain;
use tokio::time::timeout;

use super::AcmeChallenge;
use super::answers::{self, Answers};
use super::folder::Folder;

/// How long an order may take. The authority looks at our answers from several places, some of them slow.
const ORDER_TIMEOUT: Duration = Duration::from_secs(300);
/// How often, and for how long it is asked how far it has come.
const POLL: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(120));
/// The authority does not know the account (RFC 8555 §6.7).
const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// Where certificates come from, and for what.
pub(super) struct Authority {
    pub(super) names: Vec<String>,
    pub(super) contact: Vec<String>,
    pub(super) directory: String,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) challenge: AcmeChallenge,
    pub(super) answers: Arc<Answers>,
}

/// A certificate with those that lead to its authority, and its key, in PEM.
pub(super) struct Issued {
    pub(super) chain: String,
    pub(super) key: String,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The authority said no. Asking again soon would only use up what it allows.
    #[error("the authority refused: {0}")]
    Refused(String),
    /// It said nothing, or what nobody understands.
    #[error("the authority cannot be asked: {0}")]
    Unreached(String),
    /// It is on our side.
    #[error("{0}")]
    Ours(String),
}

impl Failure {
    fn ours(error: impl StdError) -> Self {
        Self::Ours(Chain(&error).to_string())
    }
}

impl From<instant_acme::Error> for Failure {
    fn from(error: instant_acme::Error) -> Self {
        match error {
            instant_acme::Error::Api(problem) => Self::Refused(problem.to_string()),
            other => Self::Unreached(Chain(&other).to_string()),
        }
    }
}

impl From<answers::Error> for Failure {
    fn from(error: answers::Error) -> Self {
        Self::ours(error)
    }
}

impl Authority {
    /// Gets a certificate for all names.
    pub(super) async fn issue(&self, folder: &Folder) -> Result<Issued, Failure> {
        let issued = timeout(ORDER_TIMEOUT, self.order(folder)).await;
        self.answers.forget();
        issued.unwrap_or_else(|_| Err(Failure::Unreached("the order took too long".to_owned())))
    }

    async fn order(&self, folder: &Folder) -> Result<Issued, Failure> {
        let names: Vec<_> = self.names.iter().cloned().map(Identifier::Dns).collect();
        let mut order = self.begin(folder, &NewOrder::new(&names)).await?;
        self.answer(&mut order).await?;
        let refusal = match order.poll_ready(&POLL).await {
            Ok(OrderStatus::Ready) => None,
            Ok(_) => Some("the order is not valid".to_owned()),
            Err(instant_acme::Error::Api(problem)) => Some(problem.to_string()),
            Err(other) => return Err(other.into()),
        };
        if let Some(words) = refusal {
            return Err(Failure::Refused(why_not(&mut order).await.unwrap_or(words)));
        }
        let mut params = CertificateParams::new(self.names.clone()).map_err(Failure::ours)?;
        params.distinguished_name = DistinguishedName::new();
        let key = KeyPair::generate().map_err(Failure::ours)?;
        let request = params.serialize_request(&key).map_err(Failure::ours)?;
        order.finalize_csr(request.der()).await?;
        let chain = order.poll_certificate(&POLL).await?;
        let key = key.serialize_pem();
        Ok(Issued { chain, key })
    }

    /// A new order of our account; of a new one, where the authority does not know ours any more.
    async fn begin(&self, folder: &Folder, new: &NewOrder<'_>) -> Result<Order, Failure> {
        match self.account(folder).await?.new_order(new).await {
            Err(instant_acme::Error::Api(problem)) if problem.r#type.as_deref() == Some(NO_ACCOUNT) => {
                tracing::warn!("the authority does not know the account any more; making a new one");
                folder.forget_account().map_err(Failure::ours)?;
                Ok(self.account(folder).await?.new_order(new).await?)
            }
            begun => Ok(begun?),
        }
    }

    async fn account(&self, folder: &Folder) -> Result<Account, Failure> {
        let builder = match &self.ca_file {
            None => Account::builder(),
            Some(path) => Account::builder_with_root(path),
        };
        let builder = builder.map_err(|error| Failure::Ours(Chain(&error).to_string()))?;
        let kept = folder.account().unwrap_or_else(|error| {
            tracing::warn!(error = %Chain(&error), "making a new account");
            None
        });
        if let Some(kept) = kept {
            return Ok(builder.from_credentials(kept).await?);
        }
        let contact: Vec<&str> = self.contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contact,
            // The settings were refused otherwise.
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let (account, credentials) = builder.create(&new, self.directory.clone(), None).await?;
        folder.keep_account(&credentials).map_err(Failure::ours)?;
        Ok(account)
    }

    /// Makes an answer for each name, and tells the authority that it can look.
    async fn answer(&self, order: &mut Order) -> Result<(), Failure> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            // It may have looked for an order before this one.
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name = authorization.identifier().to_string();
            let kind = match self.challenge {
                AcmeChallenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
                AcmeChallenge::Http01 => ChallengeType::Http01,
            };
            let Some(mut challenge) = authorization.challenge(kind) else {
                return Err(Failure::Refused(format!("it does not offer ACME_CHALLENGE for {name}")));
            };
            let key_authorization = challenge.key_authorization();
            match self.challenge {
                AcmeChallenge::TlsAlpn01 => {
                    self.answers.by_handshake(&name, key_authorization.digest().as_ref())?;
                }
                AcmeChallenge::Http01 => self.answers.by_file(&challenge.token, key_authorization.as_str()),
            }
            challenge.set_ready().await?;
        }
        Ok(())
    }
}

/// What the authority says of the names that it does not take for ours, if it says something.
async fn why_not(order: &mut Order) -> Option<String> {
    let mut reasons = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_err() {
            continue;
        }
        let name = authorization.identifier().to_string();
        let errors = authorization
            .challenges
            .iter()
            .filter_map(|challenge| challenge.error.as_ref());
        reasons.extend(errors.map(|error| format!("{name}: {error}")));
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}
