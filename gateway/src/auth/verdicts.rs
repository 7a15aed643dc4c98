//! What was found of tokens whose check takes long, for a few seconds: a signature with RSA costs more than the rest of a
//! request. Only what was accepted is remembered, so that no flood of wrong tokens fills it; revocation makes another book, with
//! nothing remembered.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::book::{Who, hash};

/// How long a verdict is remembered.
const TTL: Duration = Duration::from_secs(10);
/// How many are remembered at most. Entra has one token for each job.
const MOST: usize = 1024;

/// The verdicts, by the hash of the token.
#[derive(Default)]
pub(super) struct Verdicts(Mutex<HashMap<[u8; 32], (Who, Instant)>>);

impl Verdicts {
    pub(super) fn of(&self, token: &str) -> Option<Who> {
        let now = Instant::now();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (who, until) = known.get(&hash(token))?;
        (now < *until).then(|| who.clone())
    }

    /// Remembers whose a token is, no longer than it is good.
    pub(super) fn remember(&self, token: &str, who: &Who, good_for: Duration) {
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (_, until)| now < *until);
        }
        if known.len() < MOST {
            known.insert(hash(token), (who.clone(), now + TTL.min(good_for)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_verdict_is_remembered_for_ten_seconds() {
        let who = Who {
            tenant: "a".into(),
            credential: "id".into(),
            name: "entra".into(),
        };
        let verdicts = Verdicts::default();
        verdicts.remember("token", &who, 2 * TTL);
        assert_eq!(verdicts.of("token"), Some(who.clone()));
        assert_eq!(verdicts.of("other"), None);
        tokio::time::advance(TTL).await;
        assert_eq!(verdicts.of("token"), None);
        for at in 0..2 * MOST {
            verdicts.remember(&at.to_string(), &who, TTL);
        }
        assert_eq!(verdicts.0.lock().unwrap().len(), MOST);
        tokio::time::advance(TTL).await;
        verdicts.remember("token", &who, TTL / 2);
        assert_eq!(verdicts.of("token"), Some(who));
        tokio::time::advance(TTL / 2).await;
        assert_eq!(verdicts.of("token"), None, "it has ended");
    }
}
