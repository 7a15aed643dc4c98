//! What identity-service asks of a store: the one trait of the system, because it has more than one real engine.
//!
//! Each method is one atomic step: all of it is durable when it returns, or none of it happened. A store knows records,
//! keys, sets and work that is due; it must not know SCIM attributes, the Platform, or why something is written. The steps
//! are cut so that an engine with scripts needs one script for each.

mod brakes;
mod delivery;
mod drift;
pub mod embedded;
mod error;
mod kept;
mod log;
pub(crate) mod measured;
mod moving;
pub mod redis;
mod revert;
pub mod traces;
mod wanted;

use std::time::Duration;

use jiff::Timestamp;
use tonic::async_trait;

pub use self::{brakes::*, delivery::*, drift::*, error::*, kept::*, log::*, moving::*, revert::*, wanted::*};

use crate::{
    id::{Kind, ResourceId, Tenant},
    index::Key,
    record::Record,
};

/// A durable store of users, groups, memberships, and of what is still to be delivered.
///
/// Callers may rely on this, of every engine (the contract tests hold each to it):
///
/// - **Steps are atomic and durable.** What a method acknowledged survives the death of the process; what it refused left
///   no trace. After a [`StoreError`] the caller cannot know; repeating the step is harmless, a [`Write`] by its
///   [`RequestKey`]. Steps on one resource happen one after the other; a reader sees one state between two steps.
/// - **A document is never overwritten unseen.** Who changes or deletes one says which version of it was read, and is told
///   when it moved. Changes of members need not say: they are changes of a set, so none is lost, and none holds up a
///   change of the document.
/// - **Versions move by one, and only when something changed**, which is then in the log, in order, and in the outbox.
/// - **What was last applied is known** while something newer is wanted, and its names are nobody else's: it can be restored.
/// - **What takes access away is claimed before anything else**; apart from that, what is due for the longest.
/// - **What is only planned is not claimed** before something changes, somebody asks for a try, or it may be written.
/// - **What a brake holds is not claimed** before it is released, or is wanted no longer.
/// - **Work is claimed by one at a time**, and no tenant's before another's. A claim holds until it is settled or its lease is over; who lost it settles
///   nothing and records no intent. A change during a delivery leaves the work due. Work waits for nothing that cannot
///   come: what it waited for wakes it when it gets on or is gone.
/// - **The Platform object of a deleted resource is not forgotten**: its tombstone owns it until the removal was applied,
///   or a new user of the name took it over.
/// - **Time comes from the caller**, so that a test may choose it. Replicas' clocks may differ by less than a lease.
/// - **Tenants do not see each other.**
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // === What is wanted ===

    /// One resource.
    async fn get(&self, tenant: &Tenant, kind: Kind, id: ResourceId) -> Result<Option<Record>, StoreError>;

    /// The resources of these ids that exist, in the order given.
    async fn get_many(&self, tenant: &Tenant, kind: Kind, ids: &[ResourceId]) -> Result<Vec<Record>, StoreError>;

    /// The ids that stand under a key of an index, ascending, at most `limit`.
    async fn find(&self, tenant: &Tenant, kind: Kind, key: &Key, limit: usize) -> Result<Vec<ResourceId>, StoreError>;

    /// Resources and, of each, the first groups that it is a direct member of, at most `groups`: all that a reader is shown,
    /// in one step. It may be fewer of either, and is told: an engine bounds what one step touches. For no groups, none is
    /// read.
    async fn look_up(&self, tenant: &Tenant, kind: Kind, which: Which<'_>, groups: usize) -> Result<Found, StoreError>;

    /// Resources in the order of their creation.
    async fn list(&self, tenant: &Tenant, kind: Kind, from: From, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// How many resources there are.
    async fn count(&self, tenant: &Tenant, kind: Kind) -> Result<u64, StoreError>;

    /// A group's members after one of them, ascending, at most `limit`.
    async fn members(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Member>, StoreError>;

    /// Whether `member` is a member of `group`.
    async fn is_member(&self, tenant: &Tenant, group: ResourceId, member: ResourceId) -> Result<bool, StoreError>;

    /// The groups that `member` is a direct member of, after one of them, ascending, at most `limit`.
    async fn groups_of(
        &self,
        tenant: &Tenant,
        member: ResourceId,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<ResourceId>, StoreError>;

    /// Creates, updates or deletes one resource: versions, uniqueness, document, indexes, memberships, log and
    /// outbox, in one step. Who changes nothing writes nothing.
    async fn write(&self, tenant: &Tenant, write: Write) -> Result<Written, WriteError>;

    /// What was answered to a request id, if it was used in the last day: `RequestIdReused` when for something else.
    async fn answered(
        &self,
        tenant: &Tenant,
        request: &RequestKey,
        now: Timestamp,
    ) -> Result<Option<Written>, WriteError>;

    // === The log ===

    /// Entries after a position of the log, at most `limit`, in the order in which they were written.
    async fn log(&self, tenant: &Tenant, after: u64, limit: usize) -> Result<LogPage, StoreError>;

    /// Tells the tenant's log from any other: positions of another one mean nothing in this one.
    async fn feed_id(&self, tenant: &Tenant) -> Result<u64, StoreError>;

    /// The position of the newest entry of the log; 0 when there was none.
    async fn newest_entry(&self, tenant: &Tenant) -> Result<u64, StoreError>;

    // === What is still to be delivered ===

    /// Takes up to `limit` pieces of a tenant's due work under a lease. Work under a lease is not given out again before the
    /// lease is over. Work that cannot be read is put aside, so that it holds up no other.
    async fn claim(&self, tenant: &Tenant, now: Timestamp, lease: Duration, limit: usize)
    -> Result<Claims, StoreError>;

    /// Lets a claim hold until then, if it still holds; gives whether it does. Who claims renews for as long as the delivery
    /// takes, so that a lease may be short: the work of a replica that died is taken again as soon as its lease is over.
    async fn renew(&self, claim: &Claim, until: Timestamp) -> Result<bool, StoreError>;

    /// After the clock went back: whatever waits for a time is due now, since that time is farther away than was meant; who
    /// holds a lease keeps one of that length from now on.
    async fn rewind(&self, tenant: &Tenant, now: Timestamp, lease: Duration) -> Result<(), StoreError>;

    /// What a claimed piece of work is about, as it is now: at most `batch` members whose wanted state is unconfirmed come
    /// along. `None` when there is nothing left to deliver to.
    async fn order(&self, claim: &Claim, batch: usize) -> Result<Option<Order>, StoreError>;

    /// Notes that a create call of that name may be sent now: the caller has just found it free. A name is intended by one
    /// resource at a time, so another loses it, unless its delivery is under way.
    async fn record_intent(&self, claim: &Claim, name: &str) -> Result<Intent, StoreError>;

    /// Lets what is held go on: it is due now, and no brake holds it again; logs who did. `false` when nothing of it
    /// is held.
    async fn release(
        &self,
        tenant: &Tenant,
        id: ResourceId,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// What a resource or tombstone was when it was last applied, while something newer is wanted.
    async fn pre_image(&self, tenant: &Tenant, kind: Kind, id: ResourceId) -> Result<Option<PreImage>, StoreError>;

    /// Makes a resource what it was when it was last applied, in a new version, and has that delivered.
    async fn revert(&self, tenant: &Tenant, revert: Revert) -> Result<Reverted, StoreError>;

    /// Where members of a group stand whose wanted state is not confirmed, with their stamps; nothing for the others. At most
    /// [`MOVED_AT_ONCE`] members.
    async fn stages(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        members: &[ResourceId],
    ) -> Result<Vec<Option<(Stage, u64)>>, StoreError>;

    /// Takes back changes of members, at most [`MOVED_AT_ONCE`], that the Platform refused, each if it still has that stamp.
    /// Gives whose.
    async fn revert_members(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        members: &[(ResourceId, u64)],
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<Vec<ResourceId>, StoreError>;

    /// Puts those into a group again whose removal a brake holds: a part now, the rest by and by; logs who did. `false` when
    /// there are none.
    async fn discard_members(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Has nothing of a tenant claimed until it is paused no longer (`None`); logs who did. What is under way comes to its end.
    async fn set_pause(
        &self,
        tenant: &Tenant,
        pause: Option<Pause>,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Why nothing of a tenant is claimed, if it is paused.
    async fn pause(&self, tenant: &Tenant) -> Result<Option<Pause>, StoreError>;

    /// Ends a claim, and logs how, unless it ended as before. A claim that no longer holds settles nothing.
    async fn settle(
        &self,
        claim: &Claim,
        tried: &Tried,
        settlement: Settlement,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The link of a resource or tombstone.
    async fn link(&self, tenant: &Tenant, id: ResourceId) -> Result<Option<Link>, StoreError>;

    /// The resource or tombstone that owns a Platform object.
    async fn owner(&self, tenant: &Tenant, kind: Kind, platform_id: &str) -> Result<Option<Owner>, StoreError>;

    /// The resource or tombstone that has an intent of that name.
    async fn intender(&self, tenant: &Tenant, kind: Kind, name: &str) -> Result<Option<Owner>, StoreError>;

    /// The delivery state of one resource or tombstone.
    async fn delivery(&self, tenant: &Tenant, id: ResourceId) -> Result<Option<Delivery>, StoreError>;

    /// Resources with work to do, after one of them, ascending, at most `limit`.
    async fn deliveries(
        &self,
        tenant: &Tenant,
        state: Option<WorkState>,
        after: Option<ResourceId>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Makes a resource's work due now, applied or not, and logs who did. `false` when there is no such resource.
    async fn retry(
        &self,
        tenant: &Tenant,
        id: ResourceId,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Has a resource or tombstone of which all was applied delivered once more, because another hand changed its object; logs
    /// who did. `urgent`: it takes access away. `false` where something is to be delivered already, which will do, and where
    /// there is no such resource.
    async fn repair(
        &self,
        tenant: &Tenant,
        id: ResourceId,
        urgent: bool,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Makes a Platform object that of a resource which has none, by a person's word, and logs who did: its id, and the interface
    /// that it is written by. Everything is to be applied anew, and due. Not where anybody owns the object, or a delivery of the
    /// resource is under way.
    async fn relink(
        &self,
        tenant: &Tenant,
        kind: Kind,
        id: ResourceId,
        object: (String, String),
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<Relinked, StoreError>;

    /// Makes work due that is only planned: it may be written now. A bounded part; gives how many, 0 when none is left.
    async fn deliver_planned(&self, tenant: &Tenant, now: Timestamp) -> Result<usize, StoreError>;

    /// Counts of resources and of work.
    async fn summary(&self, tenant: &Tenant) -> Result<Summary, StoreError>;

    /// Does a bounded part of what earlier steps left over: what shows nowhere and costs only space, entries of the log that
    /// are too old, and resources that are to be delivered again. Gives how many entries it touched; 0 when nothing is left.
    async fn sweep(&self, tenant: &Tenant, now: Timestamp) -> Result<usize, StoreError>;

    // === Comparing with the Platform ===

    /// Who owns each of these Platform objects, and what is wanted of it: in the order given, at most [`MOVED_AT_ONCE`].
    async fn owned(
        &self,
        tenant: &Tenant,
        kind: Kind,
        platform_ids: &[String],
    ) -> Result<Vec<Option<Owned>>, StoreError>;

    /// Says that the Platform may not have what is wanted of these members of a group, or of those who are none, at most
    /// [`MOVED_AT_ONCE`]: who has an account is unconfirmed again, and the group due; logs who did. Who is unconfirmed already
    /// stands where it stands. Gives how many are unconfirmed by it.
    async fn doubt_members(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        members: &[ResourceId],
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<usize, StoreError>;

    /// Logs that a group's members were repaired on the Platform other than by a delivery, and who did.
    async fn log_repair(
        &self,
        tenant: &Tenant,
        group: ResourceId,
        origin: Option<&Origin>,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Whether the tenant's turn has come to be compared with the Platform: an interval after the last turn, whoever had it,
    /// or after the first who asked. If it has, it is the caller's.
    async fn take_turn(&self, tenant: &Tenant, now: Timestamp, interval: Duration) -> Result<bool, StoreError>;

    /// Keeps what came of a comparison in place of the last: an opaque JSON text, whoever compared.
    async fn keep_comparison(&self, tenant: &Tenant, summary: String) -> Result<(), StoreError>;

    /// What came of the last comparison, as it was given.
    async fn comparison(&self, tenant: &Tenant) -> Result<Option<String>, StoreError>;

    // === Who may call ===

    /// The tenant's credentials, as they were given: an opaque JSON text.
    async fn credentials(&self, tenant: &Tenant) -> Result<Option<String>, StoreError>;

    /// Keeps other credentials in place of those that the caller has seen, and logs what was done, and who did, where that is to
    /// be told; `false`, and nothing is kept, when they are not the present ones.
    async fn keep_credentials(
        &self,
        tenant: &Tenant,
        seen: Option<String>,
        credentials: String,
        told: Option<CredentialAct>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    // === Moving ===

    /// A page of everything that is kept of a tenant, the counters first, and where to go on; `None` after the last page. At
    /// most `limit` items are touched, so that a page may be empty though more follow. Pages fit together only while nobody
    /// writes: a cursor stands for a place, not for a state.
    async fn export(
        &self,
        tenant: &Tenant,
        after: Option<ExportCursor>,
        limit: usize,
    ) -> Result<(Vec<Entry>, Option<ExportCursor>), StoreError>;

    /// Puts entries into the store as they are, with all that follows from them: indexes, owners, counts. Nothing is put
    /// into the log or made due by it. An entry put twice is as one put once, and the order does not matter. At most
    /// [`MOVED_AT_ONCE`] items by [`Entry::items`]. What does not go together, such as two users of one name, is refused as
    /// [`StoreError::Unfit`].
    async fn import(&self, tenant: &Tenant, entries: Vec<Entry>) -> Result<(), StoreError>;

    /// How far an import is that has not come to its end. Until it has, the tenant must not be served.
    async fn importing(&self, tenant: &Tenant) -> Result<Option<ImportMark>, StoreError>;
}
