//! The keys: what each holds, and how ids, times and index values stand in them. Layout version 1.
//!
//! Every key begins with `scim:{tenant}:`, so that all of a tenant's are on one node of a Cluster. Ids are the sixteen bytes
//! of the UUID: in byte order they are in the order of creation, and they take the least room. `K` is `user` or `group`.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `meta` | hash | `layout`; `feed` (tells this history of changes from others); the counters `stamp`, `position` and `passed:B` (how many passed a brake in the last hour); `changes_trimmed`, the position of the newest change that the log lost; `import`, how far an import is; `pause`, why nothing is delivered, as JSON; `compared`, when the last turn to be compared with the Platform was taken, in ms; `comparison`, what came of the last comparison, as JSON; `credentials`, who may call, as JSON |
//! | `K` | hash | id → record: `version document_version created modified members`, a line feed, the document |
//! | `K:ids` | sorted set | the ids, in the order of creation |
//! | `K:names` | hash | folded name → id; unique |
//! | `K:reserved` | hash | folded name → the resource that gives it up by a change that is not applied yet |
//! | `before` | hash | id → what the resource was when it was last applied, while something newer is wanted: a head as JSON, a line feed, the record |
//! | `K:keys` | sorted set | index number, folded value, two NULs, id: the other indexes |
//! | `members:GROUP` | sorted set | the group's members |
//! | `unknown:GROUP` | set | those of them that are no resource |
//! | `groups:MEMBER` | sorted set | the groups that it may be a member of: also those that a large change names, or that are gone and still to be swept |
//! | `layers` | hash | group → its large change, as JSON: whose, in which state, and what it would change |
//! | `layer:GROUP`, `says:GROUP` | sorted set, hash | the members that the change names, and what it says of each: 0 out, 1 in, 2 in and no resource; 10 more when its delivery is noted |
//! | `stagings` | sorted set | groups whose change is being staged, by when it counts as abandoned, in ms |
//! | `leaving` | set | deleted users who are still to be taken out of their groups |
//! | `links` | hash | id → link with its intents, as JSON |
//! | `K:owners` | hash | Platform id → the resource or tombstone that owns the object |
//! | `K:intents` | hash | folded Platform name → the one resource or tombstone that has an intent of that name |
//! | `tombstones` | hash | id → tombstone, as JSON |
//! | `tombstones:ids` | sorted set | the same ids, in order |
//! | `K:buried` | hash | folded name → the tombstone of that name |
//! | `work` | hash | id → piece of work, as JSON |
//! | `due`, `urgent` | sorted set | ids by when their work is due, in ms; leased work stands at the end of its lease. What takes access away is `urgent`; what is held or planned is in neither |
//! | `work:pending`, `work:refused`, `work:held`, `work:planned` | sorted set | ids by the state of their work |
//! | `ages` | sorted set | ids of pending work by its oldest change, in ms |
//! | `ages:refused`, `ages:planned`, `ages:held:B` | sorted set | the same of work in those states, what is held by its brake. Earlier versions of this layout had none |
//! | `brake:B` | sorted set | what passed the brake on `removals` or `deactivations`, as `weight:stamp`, by when, in ms |
//! | `pending:GROUP` | sorted set | members whose wanted state is not confirmed, by stage: 0 ready, 1 waiting, 2 + n refused in round n, 2^40 held |
//! | `stamps:GROUP` | hash | the same members → the stamp of the change |
//! | `pending_in:MEMBER` | sorted set | the groups in which it is unconfirmed |
//! | `waiters:ID` | sorted set | who is to be delivered again when this one's delivery gets on |
//! | `chores` | sorted set | `chore:id` by chore: what a step left to be done in batches |
//! | `cursors` | hash | `chore:id` → where to go on |
//! | `feed` | stream | the log: changes, outcomes, acts; an entry's id is `position-0`, its first fields are `what` and `at`, the others are what [`super::decode`] reads |
//! | `request:ID` | string | what was answered to a request id; expires |
//! | `wait` | string | written before a WAIT for replicas |
//!
//! Migration: a later layout reads `meta`'s `layout` when it prepares a tenant and refuses one that it cannot read; one that
//! it can is rewritten, tenant by tenant, before it is served.

use jiff::Timestamp;

use crate::{
    id::{Kind, ResourceId, Tenant},
    index::{Index, Key},
    store::{StoreError, WorkState},
};

/// The layout that this version writes and reads.
pub const LAYOUT: u64 = 1;

/// A rank that no listing has: Lua's numbers are exact up to here.
pub(super) const LARGEST_RANK: u64 = 1 << 52;

/// What a tenant's keys begin with. What would end the hash tag is escaped, so that no two tenants share a prefix.
pub(super) fn prefix(tenant: &Tenant) -> String {
    let name = tenant.as_str();
    let name = name.replace('%', "%25").replace('{', "%7B").replace('}', "%7D");
    format!("scim:{{{name}}}:")
}

/// The kind as it stands in keys.
pub(super) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "user",
        Kind::Group => "group",
    }
}

/// The kind of that name.
pub(super) fn kind_of(name: &[u8]) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind_name(*kind).as_bytes() == name)
}

/// The state as it stands in keys.
pub(super) fn state_name(state: WorkState) -> &'static str {
    match state {
        WorkState::Pending => "pending",
        WorkState::Refused => "refused",
        WorkState::Held => "held",
        WorkState::Planned => "planned",
    }
}

/// An id as it stands in keys.
pub(super) fn id_bytes(id: ResourceId) -> [u8; 16] {
    id.as_u128().to_be_bytes()
}

/// Reads an id back.
pub(super) fn id_of(bytes: &[u8]) -> Result<ResourceId, StoreError> {
    let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| StoreError::Corrupt {
        what: "resource id",
        problem: format!("{} bytes", bytes.len()),
    })?;
    Ok(ResourceId::from_u128(u128::from_be_bytes(bytes)))
}

/// An entry of `K:keys` but for the id. Two NULs end the value, and a NUL within it is followed by another byte, so that
/// no value's entries lie within another's.
pub(super) fn index_prefix(key: &Key) -> Vec<u8> {
    let value = key.value.replace('\0', "\0\u{1}");
    format!("{}{value}\0\0", key.index.number()).into_bytes()
}

/// Whether the key is a unique name.
pub(super) fn is_name(key: &Key) -> bool {
    key.index == Index::Name
}

/// A time as the scripts compare it: milliseconds since 1970, rounded up, so that nothing is due early.
pub(super) fn millis(at: Timestamp) -> i64 {
    let millis = at.as_millisecond();
    if at.subsec_nanosecond() % 1_000_000 == 0 {
        millis
    } else {
        millis.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_lies_within_another() {
        let entry = |value: &str| index_prefix(&Key::new(Index::ExternalId, value));
        for (one, other) in [("a", "a\0"), ("a", "a\0\0"), ("a", "ab"), ("", "\0")] {
            assert!(!entry(other).starts_with(&entry(one)), "{one:?} {other:?}");
        }
    }

    #[test]
    fn no_tenant_leaves_its_hash_tag() {
        let of = |name: &str| prefix(&Tenant::new(name));
        assert_eq!(of("default"), "scim:{default}:");
        assert_ne!(of("a}b"), of("a%7Db"));
        assert_eq!(of("a}b").matches('}').count(), 1);
    }
}
