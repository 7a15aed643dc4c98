//! The tokens in circulation, in memory only: a restart of the simulator makes all of them invalid, as a revocation does.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// More tokens than this are not kept; the one that ends first goes.
const KEPT: usize = 10_000;

/// The tokens and when each ends.
#[derive(Debug, Default)]
pub(crate) struct Tokens(HashMap<String, Instant>);

impl Tokens {
    /// A new token that lives this long.
    pub(crate) fn issue(&mut self, lifetime: Duration) -> String {
        let now = Instant::now();
        if self.0.len() >= KEPT {
            self.0.retain(|_, until| *until > now);
        }
        if self.0.len() >= KEPT
            && let Some(first) = self
                .0
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(token, _)| token.clone())
        {
            self.0.remove(&first);
        }
        let token = format!("sim.{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.0.insert(token.clone(), now + lifetime);
        token
    }

    /// Whether the token is known and has not ended.
    pub(crate) fn is_valid(&self, token: &str) -> bool {
        self.0.get(token).is_some_and(|until| *until > Instant::now())
    }

    /// Ends every token.
    pub(crate) fn revoke_all(&mut self) {
        self.0.clear();
    }
}
