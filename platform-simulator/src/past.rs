//! Groups as they were a while ago, for the reports of a tenant where changes of groups show late. It knows when a group
//! changed and what it was before, not who asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::records::{Group, fold};
use crate::state::{Op, State};

/// What each group was before each of its latest changes, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Past(HashMap<String, Vec<Change>>);

/// When a change was made, and what was there before, if anything.
type Change = (Instant, Option<Arc<Group>>);

impl Past {
    /// Keeps what is about to be changed.
    pub(crate) fn remember(&mut self, state: &State, ops: &[Op], lag: Duration) {
        self.forget(lag);
        let now = Instant::now();
        for op in ops {
            let (Op::Group { id, .. } | Op::GroupGone(id)) = op else {
                continue;
            };
            let was = state.group(id).cloned();
            self.0.entry(fold(id)).or_default().push((now, was));
        }
    }

    /// The groups as they were this long ago, by id.
    pub(crate) fn groups(&mut self, state: &State, lag: Duration) -> Vec<Arc<Group>> {
        self.forget(lag);
        if self.0.is_empty() {
            return state.groups().cloned().collect();
        }
        let unchanged = state.groups().filter(|group| !self.0.contains_key(&fold(&group.id)));
        let changed = self.0.values().filter_map(|changes| changes.first()?.1.as_ref());
        let mut groups: Vec<_> = unchanged.chain(changed).cloned().collect();
        groups.sort_by_cached_key(|group| fold(&group.id));
        groups
    }

    fn forget(&mut self, lag: Duration) {
        self.0.retain(|_, changes| {
            changes.retain(|(at, _)| at.elapsed() < lag);
            !changes.is_empty()
        });
    }
}
