//! Keeps the verifiers fresh, and tells identity-service which credentials are used. A gateway that has not heard of
//! identity-service for [`MAX_AGE`] lets nobody in, and says that it is its own fault: who was revoked meanwhile, it cannot know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use proto::identity::v1::{CredentialUse, GetVerifiersRequest, RecordUsesRequest};
use proto::time::to_proto;
use service_runtime::{Chain, Dependency};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::Credentials;
use super::book::{Book, Who};
use crate::call::{Deadline, Terms};
use crate::identity::Identity;

/// For how long the verifiers are good after identity-service was asked for them: for so long a revoked credential may still
/// open something.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(10);
/// How often they are asked for; while there are none, more often.
const INTERVAL: Duration = Duration::from_secs(2);
const FIRST_INTERVAL: Duration = Duration::from_millis(250);
/// How long identity-service may take to hand them out.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often at most they are asked for because of a credential that is not among them.
const PAUSE: Duration = Duration::from_millis(250);
/// How often uses are told; they are known to the minute.
const TELL_USES: Duration = Duration::from_secs(5);
/// How many uses one call tells.
const MOST_USES: usize = 1_000;

/// The present verifiers.
pub(crate) struct Present {
    book: watch::Sender<Option<(Arc<Book>, Instant)>>,
    /// Held by who asks; when somebody did because of a credential that was not among them, and what failed then.
    asking: tokio::sync::Mutex<Option<(Instant, Option<Status>)>>,
    max_age: Duration,
}

impl Present {
    pub(super) fn new(first: Option<Book>, max_age: Duration) -> Self {
        Self {
            book: watch::Sender::new(first.map(|book| (Arc::new(book), Instant::now()))),
            asking: tokio::sync::Mutex::default(),
            max_age,
        }
    }

    /// The verifiers, if they are fresh.
    pub(crate) fn fresh(&self) -> Option<Arc<Book>> {
        let present = self.book.borrow();
        let (book, asked) = present.as_ref()?;
        (asked.elapsed() < self.max_age).then(|| Arc::clone(book))
    }

    /// Waits until there are any.
    pub(crate) async fn arrived(&self) {
        // The sender is ours, so that there is always one.
        let _ = self.book.subscribe().wait_for(Option::is_some).await;
    }

    /// The verifiers, fresh or not.
    pub(crate) fn last(&self) -> Option<Arc<Book>> {
        self.book.borrow().as_ref().map(|(book, _)| Arc::clone(book))
    }

    /// Newer ones than were there when this was called, whoever asked for them. However many call, they are asked for a few
    /// times a second: whoever comes with wrong credentials waits for it, and nobody else.
    pub(super) async fn newer(&self, identity: &Identity) -> Result<Arc<Book>, Status> {
        let called = Instant::now();
        let mut tried = self.asking.lock().await;
        let meanwhile = self.book.borrow().clone().filter(|(_, asked)| *asked >= called);
        if let Some((book, _)) = meanwhile {
            return Ok(book);
        }
        match &*tried {
            // Whoever waited meanwhile would fare no better.
            Some((at, Some(failed))) if *at >= called => return Err(failed.clone()),
            Some((at, _)) => tokio::time::sleep_until(*at + PAUSE).await,
            None => {}
        }
        let began = Instant::now();
        let asked = self.ask(identity).await;
        *tried = Some((began, asked.as_ref().err().cloned()));
        asked
    }

    /// Asks for them now.
    async fn ask(&self, identity: &Identity) -> Result<Arc<Book>, Status> {
        let present = self.last();
        let message = GetVerifiersRequest {
            known_hash: present.as_ref().map(|book| book.hash.clone()).unwrap_or_default(),
        };
        let asked = Instant::now();
        let answer = identity
            .get_verifiers(message, Terms::within(Deadline::after(TIMEOUT)))
            .await?;
        let book = match present {
            Some(book) if book.hash == answer.hash => book,
            _ => Arc::new(Book::read(answer)),
        };
        self.book.send_replace(Some((Arc::clone(&book), asked)));
        Ok(book)
    }
}

/// When credentials were used that nobody was told of yet.
#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<Who, Timestamp>>);

impl Uses {
    pub(super) fn note(&self, who: &Who, now: Timestamp) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match uses.get_mut(who) {
            Some(last) => *last = now,
            None => drop(uses.insert(who.clone(), now)),
        }
    }

    fn take(&self) -> HashMap<Arc<str>, Vec<CredentialUse>> {
        let uses = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut by_tenant: HashMap<_, Vec<_>> = HashMap::new();
        for (who, at) in uses {
            let used = by_tenant.entry(who.tenant).or_default();
            used.push(CredentialUse {
                credential_id: who.credential.to_string(),
                used_at: Some(to_proto(at)),
            });
        }
        by_tenant
    }

    /// Tells them. What cannot be told is forgotten: the next use is not far.
    async fn tell(&self, identity: &Identity) {
        for (tenant, mut uses) in self.take() {
            uses.truncate(MOST_USES);
            let message = RecordUsesRequest {
                tenant: tenant.to_string(),
                uses,
            };
            let told = identity
                .record_uses(message, Terms::within(Deadline::after(TIMEOUT)))
                .await;
            if let Err(status) = told {
                tracing::debug!(code = ?status.code(), "identity-service was not told which credentials are used");
            }
        }
    }
}

/// Keeps Entra's keys fresh until stopped; apart from the verifiers, which wait for nobody's slow answer.
pub(crate) async fn follow_keys(credentials: Arc<Credentials>, stop: CancellationToken) {
    loop {
        if let Some(book) = credentials.present.last() {
            let trusted = book.entra_tenants();
            let refreshed = credentials.key_sets.refresh(&trusted);
            if stop.run_until_cancelled(refreshed).await.is_none() {
                return;
            }
        }
        if stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
            return;
        }
    }
}

/// Keeps the verifiers fresh, and tells of uses, until stopped.
pub(crate) async fn follow(
    credentials: Arc<Credentials>,
    identity: Identity,
    dependency: Dependency,
    stop: CancellationToken,
) {
    let mut told = Instant::now();
    if credentials.present.fresh().is_some() {
        dependency.ready();
    }
    loop {
        let asked = {
            let _alone = credentials.present.asking.lock().await;
            credentials.present.ask(&identity).await
        };
        match &asked {
            Ok(_) => dependency.ready(),
            // Whether identity-service is there at all is told elsewhere, until it is too long ago.
            Err(_) if credentials.present.fresh().is_some() => {}
            Err(status) => {
                dependency.not_ready(format!("identity-service does not say who may call: {}", Chain(status)));
            }
        }
        let pause = if credentials.present.last().is_some() {
            INTERVAL
        } else {
            FIRST_INTERVAL
        };
        let stopped = stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none();
        if stopped || told.elapsed() >= TELL_USES {
            credentials.uses.tell(&identity).await;
            told = Instant::now();
        }
        if stopped {
            return;
        }
    }
}
