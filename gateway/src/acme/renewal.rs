//! When a certificate is ordered: when there is none, when it lacks a name, and when a third of its life is left. What fails is tried
//! again, each time later. Meanwhile the one that there is goes on being shown, expired or not.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::ServerConfig;
use rustls::server::ClientHello;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use service_runtime::tls::{Choose, State, Validity, server_config};
use service_runtime::{Chain, Readiness, Tls};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::answers::{Answers, PROTOCOL};
use super::folder::{Folder, Kept};
use super::order::{Authority, Failure};

/// How often it is looked at the time of day, which may jump, and at the certificate.
const LOOK: Duration = Duration::from_secs(1);
/// The first pause after an authority that could not be reached, after one that said no, and the longest. Let's Encrypt lets five
/// failed proofs of a name through in an hour.
const UNREACHED: Duration = Duration::from_secs(2);
const REFUSED: Duration = Duration::from_secs(5 * 60);
const LONGEST: Duration = Duration::from_secs(3600);

/// A certificate in force.
struct Shown {
    config: Arc<ServerConfig>,
    validity: Validity,
    names: Vec<String>,
}

/// Keeps a certificate in force.
pub(super) struct Renewal {
    authority: Authority,
    folder: Folder,
    state: State,
    shown: watch::Sender<Option<Shown>>,
    /// Why the one on disk is not in force, until there is another.
    unreadable: Option<String>,
    /// Why there is no newer one.
    failed: Option<String>,
    failures: u32,
    /// Not before then; by a clock that does not jump.
    not_before: Instant,
}

/// How a handshake is answered: the authority's own by the answer that waits for it, all others by the certificate in force.
struct Chooses {
    answers: Arc<Answers>,
    shown: watch::Receiver<Option<Shown>>,
}

impl Choose for Chooses {
    fn choose(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        // RFC 8737 §3: it names this protocol alone.
        let asks_for_proof = hello
            .alpn()
            .is_some_and(|mut protocols| protocols.any(|protocol| protocol == PROTOCOL));
        if asks_for_proof {
            return self.answers.to_handshake(hello.server_name()?);
        }
        self.shown.borrow().as_ref().map(|shown| Arc::clone(&shown.config))
    }
}

impl Renewal {
    /// Shows the certificate that is on disk, if there is one.
    pub(super) fn new(authority: Authority, folder: Folder, readiness: &Readiness) -> (Self, Tls) {
        let (shown, seen) = watch::channel(None);
        let chooses = Chooses {
            answers: Arc::clone(&authority.answers),
            shown: seen,
        };
        let mut renewal = Self {
            authority,
            folder,
            state: State::new(readiness, "certificate"),
            shown,
            unreadable: None,
            failed: None,
            failures: 0,
            not_before: Instant::now(),
        };
        renewal.show_kept();
        renewal.tell();
        (renewal, Tls::new(chooses))
    }

    /// Orders when it is time, until the service ends.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            if self.is_due(Timestamp::now()) && Instant::now() >= self.not_before {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.renew() => {}
                }
            }
            self.tell();
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK) => {}
            }
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let shown = self.shown.borrow();
        let Some(shown) = shown.as_ref() else {
            return true;
        };
        let lacks = |name: &String| !shown.names.contains(name);
        self.authority.names.iter().any(lacks) || now >= due(shown.validity)
    }

    async fn renew(&mut self) {
        let renewed = match self.authority.issue(&self.folder).await {
            Ok(issued) => self.keep(&issued.key, &issued.chain),
            Err(failure) => Err(failure),
        };
        let pause = match renewed {
            Ok(validity) => {
                tracing::info!(names = ?self.authority.names, not_after = %validity.not_after, "there is a new certificate");
                (self.unreadable, self.failed, self.failures) = (None, None, 0);
                // A clock that is wrong must not order one after another.
                (lifetime(validity) / 3).min(LONGEST)
            }
            Err(failure) => {
                self.failed = Some(format!("no new certificate: {failure}"));
                self.failures += 1;
                pause(&failure, self.failures)
            }
        };
        self.not_before = Instant::now() + pause;
    }

    /// Shows what was issued, and keeps it. What cannot be kept is shown all the same; it is ordered again after the next start.
    fn keep(&mut self, key: &str, chain: &str) -> Result<Validity, Failure> {
        let kept = Kept::from_pem(&format!("{key}\n{chain}"));
        let kept = kept.ok_or_else(|| Failure::Unreached("what it issued is no certificate".to_owned()))?;
        let shown = shown(kept).map_err(|error| Failure::Unreached(format!("what it issued: {error}")))?;
        let validity = shown.validity;
        if let Err(error) = self.folder.keep_certificate(key, chain) {
            tracing::error!(%error, "the new certificate cannot be kept on disk");
        }
        self.shown.send_replace(Some(shown));
        Ok(validity)
    }

    fn show_kept(&mut self) {
        let kept = self.folder.certificate().map_err(|error| Chain(&error).to_string());
        match kept.and_then(|kept| kept.map(shown).transpose()) {
            Ok(kept) => {
                self.shown.send_replace(kept);
            }
            Err(fault) => self.unreadable = Some(fault),
        }
    }

    fn tell(&mut self) {
        let validity = self.shown.borrow().as_ref().map(|shown| shown.validity);
        let faults: Vec<&str> = [&self.unreadable, &self.failed]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let fault = (!faults.is_empty()).then(|| faults.join("; "));
        self.state.tell(fault, validity, Timestamp::now());
    }
}

fn shown(kept: Kept) -> Result<Shown, String> {
    let text = |error: service_runtime::Error| Chain(&error).to_string();
    let own = kept.chain.first().ok_or("there is no certificate")?;
    let (validity, names) = (Validity::of(own).map_err(text)?, Validity::names(own).map_err(text)?);
    let provider = rustls::crypto::ring::default_provider();
    let certified = CertifiedKey::from_der(kept.chain, kept.key, &provider).map_err(|error| error.to_string())?;
    let config = server_config(Arc::new(SingleCertAndKey::from(certified)), None).map_err(text)?;
    Ok(Shown {
        config: Arc::new(config),
        validity,
        names: names.iter().map(|name| name.to_ascii_lowercase()).collect(),
    })
}

/// When a third of a certificate's life is left: a month of Let's Encrypt's ninety days, two days of its six.
fn due(validity: Validity) -> Timestamp {
    let third = SignedDuration::try_from(lifetime(validity) / 3).unwrap_or_default();
    validity.not_after.checked_sub(third).unwrap_or(validity.not_before)
}

fn lifetime(validity: Validity) -> Duration {
    Duration::try_from(validity.not_after.duration_since(validity.not_before)).unwrap_or_default()
}

/// Doubled with every failure, and not the same for all gateways of the world.
fn pause(failure: &Failure, failures: u32) -> Duration {
    let first = match failure {
        Failure::Refused(_) => REFUSED,
        Failure::Unreached(_) | Failure::Ours(_) => UNREACHED,
    };
    let doubled = first.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(LONGEST).mul_f64(rand::random_range(0.8..1.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_time_when_a_third_is_left() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let validity = |not_before, not_after| Validity {
            not_before: at(not_before),
            not_after: at(not_after),
        };
        assert_eq!(due(validity(0, 90 * 86_400)), at(60 * 86_400));
        assert_eq!(due(validity(100, 130)), at(120));
        assert_eq!(due(validity(100, 100)), at(100));
        assert_eq!(due(validity(200, 100)), at(100), "nonsense is due at once");
    }

    #[test]
    fn pauses_grow_and_a_refusal_begins_with_a_longer_one() {
        let refused = Failure::Refused(String::new());
        let unreached = Failure::Unreached(String::new());
        for (failure, failures, seconds) in [
            (&unreached, 1, 2.0),
            (&unreached, 4, 16.0),
            (&unreached, 60, 3600.0),
            (&refused, 1, 300.0),
            (&refused, 2, 600.0),
            (&refused, u32::MAX, 3600.0),
        ] {
            let pause = pause(failure, failures).as_secs_f64();
            assert!((seconds * 0.8..=seconds * 1.2).contains(&pause), "{failures}: {pause}");
        }
    }
}
