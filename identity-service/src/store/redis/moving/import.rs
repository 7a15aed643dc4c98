//! Into Redis: as many entries by one script as one step may touch.

use std::collections::HashMap;

use serde_json::json;

use super::super::{
    RedisStore,
    args::{self, Args, nanos},
    keys::{id_bytes, millis},
};
use crate::{
    id::{Kind, ResourceId, Tenant},
    index::{Index, Key, keys},
    record::Record,
    store::{Entry, ImportMark, KeptImage, PreImage, Store, StoreError, Tombstone, Work},
};

/// The keys of the resources that are there already.
type OldKeys = HashMap<ResourceId, Vec<Key>>;

impl RedisStore {
    /// Puts entries into the store; a mark of how far the import is comes after all others.
    pub(in crate::store::redis) async fn put_entries(
        &self,
        tenant: &Tenant,
        entries: Vec<Entry>,
    ) -> Result<(), StoreError> {
        let (marks, mut entries): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| matches!(entry, Entry::Import(_)));
        entries.extend(marks);
        for some in in_steps(entries, self.options.batch) {
            self.put(tenant, some).await?;
        }
        Ok(())
    }

    async fn put(&self, tenant: &Tenant, entries: Vec<Entry>) -> Result<(), StoreError> {
        let mut old = self.old_keys(tenant, &entries).await?;
        let mut names = Vec::with_capacity(entries.len());
        let mut args = Args::new().number(entries.len() as u64);
        for entry in entries {
            names.push(name(&entry));
            args = to_put(args, entry, &mut old)?;
        }
        let reply = self.step("import", tenant, &self.scripts.import, args).await?;
        let Some((nth, problem)) = reply.unfit()? else {
            return Ok(());
        };
        let what = nth.checked_sub(1).and_then(|nth| names.get(nth).copied());
        let what = what.unwrap_or("entry");
        Err(StoreError::Unfit { what, problem })
    }

    /// What is to be forgotten of resources that are put again.
    async fn old_keys(&self, tenant: &Tenant, entries: &[Entry]) -> Result<OldKeys, StoreError> {
        let mut old = OldKeys::new();
        for kind in Kind::ALL {
            let of_kind = |entry: &Entry| match entry {
                Entry::Resource(record) if record.kind == kind => Some(record.id),
                _ => None,
            };
            let ids: Vec<_> = entries.iter().filter_map(of_kind).collect();
            let there = self.get_many(tenant, kind, &ids).await?;
            old.extend(
                there
                    .into_iter()
                    .map(|record| (record.id, keys(kind, &record.document))),
            );
        }
        Ok(old)
    }
}

/// Entries by the script: each has at most so many items, or one entry.
fn in_steps(entries: Vec<Entry>, most: usize) -> Vec<Vec<Entry>> {
    let mut steps: Vec<Vec<Entry>> = Vec::new();
    let mut items = 0;
    for entry in entries {
        items += entry.items();
        match steps.last_mut() {
            Some(step) if items <= most => step.push(entry),
            _ => {
                items = entry.items();
                steps.push(vec![entry]);
            }
        }
    }
    steps
}

/// What an entry is called in an error.
fn name(entry: &Entry) -> &'static str {
    match entry {
        Entry::Counters { .. } => "counters",
        Entry::Resource(_) => "resource",
        Entry::Members { .. } => "members",
        Entry::Link { .. } => "link",
        Entry::Tombstone { .. } => "tombstone",
        Entry::Unconfirmed { .. } => "unconfirmed member",
        Entry::Work { .. } => "piece of work",
        Entry::Waiting { .. } => "waiter",
        Entry::Chore { .. } => "chore",
        Entry::Import(_) => "mark of an import",
    }
}

/// Adds what the script takes for an entry.
fn to_put(args: Args, entry: Entry, old: &mut OldKeys) -> Result<Args, StoreError> {
    Ok(match entry {
        Entry::Counters {
            stamp,
            pause,
            credentials,
        } => {
            let pause = pause.map(|pause| json!(pause).to_string());
            args.text("counters")
                .number(stamp)
                .optional_text(pause.as_deref())
                .optional_text(credentials.as_deref())
        }
        Entry::Resource(record) => resource_to_put(args, &record, old)?,
        Entry::Members { group, members } => members_to_put(args, group, &members),
        Entry::Link { id, kind, link } => args.text("link").kind(kind).id(id).text(json!(link).to_string()),
        Entry::Tombstone { id, newest, tombstone } => tombstone_to_put(args, id, newest, &tombstone),
        Entry::Unconfirmed { group, members } => {
            let mut parts = Vec::with_capacity(3 * members.len());
            for (member, stage, stamp) in members {
                parts.push(id_bytes(member).to_vec());
                parts.push(stage.number().to_string().into_bytes());
                parts.push(stamp.to_string().into_bytes());
            }
            args.text("unconfirmed").id(group).texts(&parts)
        }
        Entry::Work { id, work, before } => {
            let args = args.text("work").id(id).text(work_json(&work.without_lease()));
            image_to_put(args, before.as_deref())
        }
        Entry::Waiting { on, waiter } => args.text("waiting").id(on).id(waiter),
        Entry::Chore { chore, id, after } => {
            let args = args.text("chore").number(chore.number().into()).id(id);
            args.optional_id(after)
        }
        Entry::Import(mark) => mark_to_put(args, &mark),
    })
}

fn resource_to_put(args: Args, record: &Record, old: &mut OldKeys) -> Result<Args, StoreError> {
    let new_keys = keys(record.kind, &record.document);
    if !new_keys.iter().any(|key| key.index == Index::Name) {
        return Err(StoreError::Unfit {
            what: "resource",
            problem: "it has no name".to_owned(),
        });
    }
    let args = args.text("resource").kind(record.kind).id(record.id).text(raw(record));
    let args = args::key_lists(args, old.get(&record.id).map_or(&[], Vec::as_slice));
    let args = args::key_lists(args, &new_keys);
    // Should it come again in the same step.
    old.insert(record.id, new_keys);
    Ok(args)
}

/// A record as the scripts keep it.
fn raw(record: &Record) -> String {
    format!(
        "{} {} {} {} {}\n{}",
        record.version,
        record.document_version,
        nanos(record.created),
        nanos(record.modified),
        record.member_count,
        record.document
    )
}

fn image_to_put(args: Args, before: Option<&KeptImage>) -> Args {
    let Some(KeptImage { image, reserved }) = before else {
        return args.nothing();
    };
    let PreImage { first, names, record } = image;
    let record = record.as_ref().map_or_else(String::new, raw);
    args.number(*first).texts(names).text(record).texts(reserved)
}

fn members_to_put(args: Args, group: ResourceId, members: &[(ResourceId, Option<Kind>)]) -> Args {
    let some = |known: bool| -> Vec<ResourceId> {
        let of = members.iter().filter(|(_, kind)| kind.is_some() == known);
        of.map(|(id, _)| *id).collect()
    };
    args.text("members").id(group).ids(&some(true)).ids(&some(false))
}

fn tombstone_to_put(args: Args, id: ResourceId, newest: bool, tombstone: &Tombstone) -> Args {
    let raw = json!({
        "kind": tombstone.kind,
        "name": tombstone.name,
        "version": tombstone.version,
        "at": nanos(tombstone.at),
    });
    args.text("tombstone")
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
            ("released", work.released.then_some(json!(true))),
            ("not_before", work.not_before.map(|at| json!(millis(at)))),
            ("refused_due", work.refused_due.map(|at| json!(millis(at)))),
            ("plan", (!work.plan.is_empty()).then(|| json!(work.plan))),
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

fn mark_to_put(args: Args, mark: &ImportMark) -> Args {
    let args = args.text("mark").text(&mark.source).number(mark.lines);
    if mark.complete {
        return args.nothing();
    }
    args.text(json!(mark).to_string())
}
