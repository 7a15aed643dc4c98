//! What a script is given: a flat list of texts, which it takes one after the other.

use jiff::Timestamp;
use serde_json::json;

use super::keys::{id_bytes, index_prefix, is_name, kind_name, millis};
use crate::{
    id::{Kind, ResourceId},
    index::Key,
    store::{
        Action, Applied, AttributeChange, Brake, Claim, DocumentChange, Failure, Limit, MemberChange, Origin,
        PendingMember, Revert, Settlement, Tried, Write,
    },
};

/// How long a request id is remembered.
pub(super) const REQUEST_MEMORY_MS: i64 = 24 * 60 * 60 * 1000;

/// Arguments in the order in which they are taken.
#[derive(Debug, Default)]
pub(super) struct Args(Vec<Vec<u8>>);

impl Args {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn into_inner(self) -> Vec<Vec<u8>> {
        self.0
    }

    /// The same, after one more.
    pub(super) fn led_by(mut self, first: &str) -> Vec<Vec<u8>> {
        self.0.insert(0, first.as_bytes().to_vec());
        self.0
    }

    pub(super) fn text(mut self, text: impl AsRef<[u8]>) -> Self {
        self.0.push(text.as_ref().to_vec());
        self
    }

    /// Something that is absent.
    pub(super) fn nothing(self) -> Self {
        self.text("")
    }

    pub(super) fn flag(self, flag: bool) -> Self {
        self.text(if flag { "1" } else { "" })
    }

    pub(super) fn number(self, number: u64) -> Self {
        self.text(number.to_string())
    }

    pub(super) fn kind(self, kind: Kind) -> Self {
        self.text(kind_name(kind))
    }

    pub(super) fn id(self, id: ResourceId) -> Self {
        self.text(id_bytes(id))
    }

    pub(super) fn optional_id(self, id: Option<ResourceId>) -> Self {
        match id {
            Some(id) => self.id(id),
            None => self.nothing(),
        }
    }

    pub(super) fn time(self, at: Timestamp) -> Self {
        self.text(millis(at).to_string())
    }

    fn optional_time(self, at: Option<Timestamp>) -> Self {
        match at {
            Some(at) => self.time(at),
            None => self.nothing(),
        }
    }

    pub(super) fn optional_text(self, text: Option<&str>) -> Self {
        self.text(text.unwrap_or(""))
    }

    fn list<T: AsRef<[u8]>>(self, items: impl ExactSizeIterator<Item = T>) -> Self {
        let mut args = self.number(items.len() as u64);
        args.0.extend(items.map(|item| item.as_ref().to_vec()));
        args
    }

    pub(super) fn texts(self, texts: &[impl AsRef<[u8]>]) -> Self {
        self.list(texts.iter())
    }

    pub(super) fn ids(self, ids: &[ResourceId]) -> Self {
        self.list(ids.iter().map(|id| id_bytes(*id)))
    }

    /// A key of an index, to be looked up.
    pub(super) fn key(self, key: &Key) -> Self {
        let args = self.flag(is_name(key));
        if is_name(key) {
            args.text(&key.value)
        } else {
            args.text(index_prefix(key))
        }
    }

    /// The names among some keys, then the others.
    fn keys<'k>(self, keys: impl IntoIterator<Item = &'k Key>) -> (Self, Vec<Vec<u8>>) {
        let (names, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| is_name(key));
        let args = self.list(names.iter().map(|key| key.value.as_bytes()));
        (args, others.into_iter().map(index_prefix).collect())
    }

    fn limit(self, limit: Option<Limit>) -> Self {
        match limit {
            Some(limit) => self.number(limit.least).number(limit.percent),
            None => self.nothing().number(0),
        }
    }

    fn object(self, object: Option<&(String, String)>) -> Self {
        let (platform_id, backend) = object.map_or(("", ""), |(id, backend)| (id, backend));
        self.text(platform_id).text(backend)
    }

    fn failure(self, failure: &Failure) -> Self {
        self.text(json!(failure).to_string())
    }

    /// What changed in a document; the scripts only keep it.
    fn diff(self, diff: &[AttributeChange]) -> Self {
        if diff.is_empty() {
            return self.nothing();
        }
        self.text(json!(diff).to_string())
    }

    /// Who asked; the scripts only keep it.
    pub(super) fn origin(self, origin: Option<&Origin>) -> Self {
        match origin {
            Some(origin) => self.text(json!(origin).to_string()),
            None => self.nothing(),
        }
    }

    fn pending(self, members: &[PendingMember]) -> Self {
        let pairs: Vec<Vec<u8>> = members
            .iter()
            .flat_map(|member| [id_bytes(member.id).to_vec(), member.stamp.to_string().into_bytes()])
            .collect();
        self.texts(&pairs)
    }
}

/// A time that is only kept.
pub(super) fn nanos(at: Timestamp) -> String {
    at.as_nanosecond().to_string()
}

/// What `write.lua` takes. Members that were staged under a token are not sent again.
pub(super) fn write(write: &Write, staged: Option<&str>) -> Args {
    let action = match write.action {
        Action::Create { .. } => "create",
        Action::Update { .. } => "update",
        Action::Delete { .. } => "delete",
    };
    let mut args = Args::new()
        .text(action)
        .kind(write.kind)
        .id(write.id)
        .time(write.now)
        .text(nanos(write.now));
    args = match write.if_version {
        Some(version) => args.number(version),
        None => args.nothing(),
    };
    args = args
        .flag(write.keep_unknown_members)
        .optional_text(write.traceparent.as_deref())
        .flag(write.usable.before)
        .flag(write.usable.after)
        .flag(write.deletion_disables)
        .limit(write.brakes.removals)
        .limit(write.brakes.deactivations)
        .diff(&write.diff)
        .origin(write.origin.as_ref());
    args = match &write.request {
        Some(request) => args.text(&request.id).text(hex(&request.digest)),
        None => args.nothing().nothing(),
    };
    args = args
        .text(REQUEST_MEMORY_MS.to_string())
        .text((millis(write.now) - REQUEST_MEMORY_MS).to_string());
    match &write.action {
        Action::Create {
            document,
            keys,
            members,
        } => {
            let mut attributes: Vec<&str> = document
                .as_object()
                .into_iter()
                .flat_map(serde_json::Map::keys)
                .map(String::as_str)
                .filter(|name| *name != "schemas")
                .collect();
            if !members.is_empty() {
                attributes.push("members");
            }
            let args = args.text(document.to_string()).text(json!(attributes).to_string());
            let args = key_lists(args, keys);
            let members = if staged.is_some() { &[][..] } else { members };
            args.ids(members).optional_text(staged)
        }
        Action::Update { document, members } => {
            let args = document_change(args, document.as_ref());
            let none = MemberChange::default();
            let change = members.as_ref().filter(|_| staged.is_none()).unwrap_or(&none);
            args.flag(members.is_some())
                .flag(members.as_ref().is_some_and(|change| change.replace))
                .ids(&change.add)
                .ids(&change.remove)
                .optional_text(staged)
        }
        Action::Delete { expected, keys } => key_lists(args.number(*expected), keys),
    }
}

/// The names among some keys, then the others.
pub(super) fn key_lists(args: Args, keys: &[Key]) -> Args {
    let (args, others) = args.keys(keys);
    args.texts(&others)
}

/// What `stage.lua` takes for a batch.
pub(super) fn stage(
    write: &Write,
    token: &str,
    expires: Timestamp,
    (add, remove): (&[ResourceId], &[ResourceId]),
) -> Args {
    let replaces = matches!(&write.action, Action::Update { members: Some(change), .. } if change.replace);
    Args::new()
        .id(write.id)
        .text(token)
        .time(expires)
        .flag(matches!(write.action, Action::Create { .. }))
        .flag(replaces)
        .flag(write.keep_unknown_members)
        .nothing()
        .ids(add)
        .ids(remove)
}

/// What `stage.lua` takes to give up what was staged.
pub(super) fn drop_stage(write: &Write, token: &str) -> Args {
    let args = Args::new().id(write.id).text(token).number(0);
    args.nothing().nothing().nothing().flag(true).number(0).number(0)
}

fn document_change(args: Args, change: Option<&DocumentChange>) -> Args {
    let Some(change) = change else {
        let args = args.nothing().number(0).nothing().text("[]").text(r#"["members"]"#);
        return args.number(0).number(0).number(0).number(0).number(0);
    };
    let with_members: Vec<&str> = change
        .attributes
        .iter()
        .map(String::as_str)
        .chain(["members"])
        .collect();
    let args = args
        .flag(true)
        .number(change.expected)
        .text(change.document.to_string())
        .text(json!(change.attributes).to_string())
        .text(json!(with_members).to_string());
    let (args, _) = args.keys(&change.old_keys);
    swapped(args, &change.old_keys, &change.new_keys)
}

/// The names that come, those that go, the other keys that come, and those that go.
fn swapped(args: Args, old: &[Key], new: &[Key]) -> Args {
    let (args, gained) = args.keys(new.iter().filter(|key| !old.contains(key)));
    let (args, lost) = args.keys(old.iter().filter(|key| !new.contains(key)));
    args.texts(&gained).texts(&lost)
}

/// What `revert.lua` takes.
pub(super) fn revert(revert: &Revert) -> Args {
    let args = Args::new()
        .kind(revert.kind)
        .id(revert.id)
        .time(revert.now)
        .text(nanos(revert.now))
        .number(revert.expected)
        .flag(revert.only_if_refused)
        .text(json!(revert.attributes).to_string())
        .diff(&revert.diff)
        .origin(revert.origin.as_ref())
        .optional_text(revert.request.as_deref())
        .optional_text(revert.traceparent.as_deref());
    swapped(args, &revert.old_keys, &revert.new_keys)
}

/// What `put_back.lua` takes first.
pub(super) fn members_step(group: ResourceId, origin: Option<&Origin>, now: Timestamp) -> Args {
    Args::new().id(group).time(now).text(nanos(now)).origin(origin)
}

/// What `settle.lua` takes.
pub(super) fn settle(claim: &Claim, tried: &Tried, settlement: &Settlement, now: Timestamp) -> Args {
    let args = Args::new()
        .kind(claim.kind)
        .id(claim.id)
        .number(claim.token)
        .number(claim.stamp)
        .time(now)
        .text(nanos(now));
    let args = match tried.version {
        Some(version) => args.number(version),
        None => args.nothing(),
    };
    let args = args.optional_text(tried.trace_id.as_deref());
    match settlement {
        Settlement::Applied(applied) => settle_applied(args.text("applied"), applied),
        Settlement::Postponed {
            failure,
            retry_at,
            not_before,
            waits_for,
            void_intents,
        } => args
            .text("postponed")
            .failure(failure)
            .time(*retry_at)
            .optional_time(*not_before)
            .optional_id(*waits_for)
            .texts(void_intents),
        Settlement::Held(held) => {
            let args = args.text("held").object(held.object.as_ref()).flag(held.disabled);
            args.optional_text(held.brake.map(Brake::name))
        }
        Settlement::Planned(steps) => args.text("planned").texts(steps),
        Settlement::Refused {
            failure,
            retry_at,
            void_intents,
        } => args
            .text("refused")
            .failure(failure)
            .time(*retry_at)
            .texts(void_intents),
    }
}

fn settle_applied(args: Args, applied: &Applied) -> Args {
    let args = args
        .object(applied.object.as_ref())
        .number(applied.versions.0)
        .number(applied.versions.1)
        .flag(applied.disabled)
        .optional_time(applied.contested_until)
        .optional_id(applied.waits_for)
        .optional_time(applied.retry_at)
        .optional_time(applied.more_at)
        .optional_time(applied.gather_until)
        .optional_time(applied.caught_up);
    let args = match &applied.refused_because {
        Some(failure) => args.failure(failure),
        None => args.nothing(),
    };
    let document = applied.document.as_ref().map(ToString::to_string);
    args.pending(&applied.confirmed)
        .pending(&applied.refused)
        .optional_text(document.as_deref())
        .texts(&applied.names)
}

/// The digest in hexadecimal.
pub(super) fn hex(digest: &[u8]) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
