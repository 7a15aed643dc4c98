//! Into Redis: each entry is put by one script. Many are on their way at once, since their order does not matter.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::super::{
    RedisStore,
    args::{self, Args, nanos},
    keys::millis,
};
use crate::{
    id::{Kind, ResourceId, Tenant},
    index::{Index, keys},
    record::Record,
    store::{Entry, ImportMark, Store, StoreError, Tombstone, Work},
};

/// How many entries are on their way at once.
const AT_ONCE: usize = 64;

impl RedisStore {
    /// Puts entries into the store; a mark of how far the import is comes after all others.
    pub(in crate::store::redis) async fn put_entries(
        &self,
        tenant: &Tenant,
        entries: Vec<Entry>,
    ) -> Result<(), StoreError> {
        let (marks, entries): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| matches!(entry, Entry::Import(_)));
        stream::iter(entries.into_iter().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |entry| self.put(tenant, entry))
            .await?;
        stream::iter(marks)
            .then(|mark| self.put(tenant, mark))
            .try_collect()
            .await
    }

    async fn put(&self, tenant: &Tenant, entry: Entry) -> Result<(), StoreError> {
        let (what, args) = match entry {
            Entry::Counters { stamp, pause } => {
                let args = Args::new().text("counters").number(stamp);
                let pause = pause.map(|pause| json!(pause).to_string());
                ("counters", args.optional_text(pause.as_deref()))
            }
            Entry::Resource(record) => ("resource", self.resource_to_put(tenant, &record).await?),
            Entry::Members { group, members } => ("members", members_to_put(group, &members)),
            Entry::Link { id, kind, link } => {
                let args = Args::new().text("link").kind(kind).id(id);
                ("link", args.text(json!(link).to_string()))
            }
            Entry::Tombstone { id, newest, tombstone } => ("tombstone", tombstone_to_put(id, newest, &tombstone)),
            Entry::Unconfirmed { group, members } => {
                let mut parts = Vec::with_capacity(3 * members.len());
                for (member, stage, stamp) in members {
                    parts.push(super::super::keys::id_bytes(member).to_vec());
                    parts.push(stage.number().to_string().into_bytes());
                    parts.push(stamp.to_string().into_bytes());
                }
                (
                    "unconfirmed member",
                    Args::new().text("unconfirmed").id(group).texts(&parts),
                )
            }
            Entry::Work { id, work } => {
                let raw = work_json(&work.without_lease());
                ("piece of work", Args::new().text("work").id(id).text(raw))
            }
            Entry::Waiting { on, waiter } => ("waiter", Args::new().text("waiting").id(on).id(waiter)),
            Entry::Chore { chore, id, after } => {
                let args = Args::new().text("chore").number(chore.number().into()).id(id);
                ("chore", args.optional_id(after))
            }
            Entry::Import(mark) => ("mark of an import", mark_to_put(&mark)),
        };
        let reply = self.step("import", tenant, &self.scripts.import, args).await?;
        let problem = reply.text()?;
        if problem.is_empty() {
            return Ok(());
        }
        Err(StoreError::Unfit { what, problem })
    }

    async fn resource_to_put(&self, tenant: &Tenant, record: &Record) -> Result<Args, StoreError> {
        let new_keys = keys(record.kind, &record.document);
        if !new_keys.iter().any(|key| key.index == Index::Name) {
            return Err(StoreError::Unfit {
                what: "resource",
                problem: "it has no name".to_owned(),
            });
        }
        let old = self.get(tenant, record.kind, record.id).await?;
        let old_keys = old.map_or_else(Vec::new, |old| keys(old.kind, &old.document));
        let raw = format!(
            "{} {} {} {} {}\n{}",
            record.version,
            record.document_version,
            nanos(record.created),
            nanos(record.modified),
            record.member_count,
            record.document
        );
        let args = Args::new().text("resource").kind(record.kind).id(record.id).text(raw);
        Ok(args::key_lists(args::key_lists(args, &old_keys), &new_keys))
    }
}

fn members_to_put(group: ResourceId, members: &[(ResourceId, Option<Kind>)]) -> Args {
    let some = |known: bool| -> Vec<ResourceId> {
        let of = members.iter().filter(|(_, kind)| kind.is_some() == known);
        of.map(|(id, _)| *id).collect()
    };
    Args::new().text("members").id(group).ids(&some(true)).ids(&some(false))
}

fn tombstone_to_put(id: ResourceId, newest: bool, tombstone: &Tombstone) -> Args {
    let raw = json!({
        "kind": tombstone.kind,
        "name": tombstone.name,
        "version": tombstone.version,
        "at": nanos(tombstone.at),
    });
    Args::new()
        .text("tombstone")
        .kind(tombstone.kind)
        .id(id)
        .text(&tombstone.name)
        .text(raw.to_string())
        .flag(newest)
}

/// Work as the scripts keep it. Under no lease, it is held by none.
fn work_json(work: &Work) -> String {
    let mut kept = json!({
        "kind": work.kind,
        "stamp": work.stamp,
        "due": millis(work.due),
        "refused_round": work.refused_round,
        "attempts": work.attempts,
        "since": millis(work.since),
        "state": work.state,
    });
    if let Some(map) = kept.as_object_mut() {
        let optional = [
            ("urgent", work.urgent.then_some(json!(true))),
            ("braked", work.braked.map(|brake| json!(brake))),
            ("not_before", work.not_before.map(|at| json!(millis(at)))),
            ("refused_due", work.refused_due.map(|at| json!(millis(at)))),
            ("failure", work.failure.as_ref().map(|failure| json!(failure))),
            ("traceparent", work.traceparent.as_ref().map(|trace| json!(trace))),
        ];
        let there = optional
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        map.extend(there);
    }
    kept.to_string()
}

fn mark_to_put(mark: &ImportMark) -> Args {
    let args = Args::new().text("mark").text(&mark.source).number(mark.lines);
    if mark.complete {
        return args.nothing();
    }
    args.text(json!(mark).to_string())
}
