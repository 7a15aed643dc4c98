//! Users: create, replace, patch, and the groups they are in.

use scim::{Operation, canonicalize};
use serde_json::{Value, json};

use super::{Caller, Directory, RACES, bounded, differences, parse_id};
use crate::{
    error::Error,
    id::{Kind, ResourceId},
    index::{keys, name_key},
    query::GROUPS_ALONG,
    record::Record,
    store::{Action, DocumentChange, Groups, Usable, Which, Write},
};

/// How many groups of a user are shown. A user in more is rare, and each is read with its record.
const GROUPS_SHOWN: usize = 1_000;

impl Directory {
    /// Creates a user from a SCIM body.
    pub async fn create_user(&self, body: Value, caller: Caller) -> Result<Record, Error> {
        let mut document = canonicalize(self.schema(Kind::User), body)?;
        // An account without a word about it may be used (RFC 7643 §4.1.1 leaves it to us).
        set_default(&mut document, "active", || json!(true));
        bounded(&document)?;
        without_outer_blanks(&document)?;
        let id = ResourceId::generate();
        let keys = keys(Kind::User, &document);
        let name = name_key(Kind::User, &document);
        let diff = self.diff(Kind::User, &Value::Null, &document);
        let action = Action::Create {
            document,
            keys,
            members: Vec::new(),
        };
        let written = self
            .attempt(self.step(Kind::User, id, action, diff, &caller), "", &caller)
            .await;
        let written = self.naming_the_holder(Kind::User, name, written).await?;
        let written = written.ok_or(Error::Contention)?;
        self.verdict(&written, &[], &caller).await?;
        Ok(written.record)
    }

    /// Replaces a user; gives it and whether anything changed.
    pub async fn replace_user(&self, id: &str, body: Value, caller: Caller) -> Result<(Record, bool), Error> {
        let body = canonicalize(self.schema(Kind::User), body)?;
        self.change_user(id, &caller, |present| {
            let mut document = scim::replace(self.schema(Kind::User), present, body.clone())?;
            // A PUT that is silent about `active` must not let a disabled user in again.
            set_default(&mut document, "active", || {
                present.get("active").cloned().unwrap_or(json!(true))
            });
            Ok(document)
        })
        .await
    }

    /// Patches a user; gives it and whether anything changed.
    pub async fn patch_user(
        &self,
        id: &str,
        operations: Vec<Operation>,
        caller: Caller,
    ) -> Result<(Record, bool), Error> {
        let schema = self.schema(Kind::User);
        let steps = scim::steps(schema, operations)?;
        self.change_user(id, &caller, |present| {
            let mut document = scim::apply(schema, present.clone(), &steps)?;
            // Removing `active` takes the word away, and changes nothing for the person: see `may_be_used`.
            if !may_be_used(present) {
                set_default(&mut document, "active", || Value::Null);
            }
            Ok(document)
        })
        .await
    }

    /// The first groups that a user is a direct member of.
    pub async fn groups_along(&self, user: ResourceId) -> Result<Groups, Error> {
        let which = Which::Ids(&[user]);
        let found = self
            .store
            .look_up(self.tenant(), Kind::User, which, GROUPS_ALONG)
            .await?;
        let seen = found.seen.into_iter().next();
        Ok(seen.map_or_else(Groups::unread, |seen| seen.groups))
    }

    /// The groups that a user is a direct member of, as (id, displayName): those that were read along, and the rest.
    pub async fn named_groups(
        &self,
        user: ResourceId,
        groups: Groups,
    ) -> Result<Vec<(ResourceId, Option<String>)>, Error> {
        let Groups { mut records, more } = groups;
        if more && records.len() < GROUPS_SHOWN {
            let (last, wanted) = (records.last().map(|group| group.id), GROUPS_SHOWN - records.len());
            let ids = self.store.groups_of(self.tenant(), user, last, wanted).await?;
            if !ids.is_empty() {
                records.extend(self.store.get_many(self.tenant(), Kind::Group, &ids).await?);
            }
        }
        Ok(records
            .into_iter()
            .map(|group| (group.id, group.text("displayName").map(str::to_owned)))
            .collect())
    }

    async fn change_user(
        &self,
        id: &str,
        caller: &Caller,
        compute: impl Fn(&Value) -> Result<Value, Error>,
    ) -> Result<(Record, bool), Error> {
        let parsed = parse_id(Kind::User, id)?;
        if let Some(first) = self.answered(caller).await? {
            return Ok((first.record, first.changed));
        }
        let mut looked_again = false;
        for _ in 0..RACES {
            let present = self.get(Kind::User, id).await?;
            let document = compute(&present.document)?;
            if document.get("userName") != present.document.get("userName") {
                without_outer_blanks(&document)?;
            }
            let usable = Usable {
                before: may_be_used(&present.document),
                after: may_be_used(&document),
            };
            let diff = self.diff(Kind::User, &present.document, &document);
            let action = Action::Update {
                document: document_change(Kind::User, &present, document)?,
                members: None,
            };
            let step = Write {
                usable,
                ..self.step(Kind::User, parsed, action, diff, caller)
            };
            if let Some(written) = self.attempt(step, id, caller).await? {
                self.verdict(&written, &[], caller).await?;
                if !looked_again && self.is_another(&written, present.version).await? {
                    looked_again = true;
                    continue;
                }
                return Ok((written.record, written.changed));
            }
        }
        Err(Error::Contention)
    }
}

/// Whether the account of a user may be used. Where the attribute `active` was removed, it may as before: without it, it
/// may; under the null that stands for a `false` that was removed, it may not.
pub(crate) fn may_be_used(document: &Value) -> bool {
    document
        .get("active")
        .is_none_or(|active| active.as_bool().unwrap_or(false))
}

/// The change from a record's document to another, if it is another.
pub(super) fn document_change(kind: Kind, present: &Record, document: Value) -> Result<Option<DocumentChange>, Error> {
    if document == present.document {
        return Ok(None);
    }
    bounded(&document)?;
    Ok(Some(DocumentChange {
        expected: present.document_version,
        attributes: differences(&present.document, &document),
        old_keys: keys(kind, &present.document),
        new_keys: keys(kind, &document),
        document,
    }))
}

/// The Platform knows login names without blanks around them: with them there would be two names here for one there.
fn without_outer_blanks(document: &Value) -> Result<(), Error> {
    let name = document.get("userName").and_then(Value::as_str).unwrap_or_default();
    if name.trim() == name {
        return Ok(());
    }
    let detail = "`userName` begins or ends with a blank".to_owned();
    let kind = scim::ErrorKind::InvalidValue;
    Err(scim::Error { kind, detail }.into())
}

fn set_default(document: &mut Value, attribute: &str, default: impl FnOnce() -> Value) {
    if let Some(map) = document.as_object_mut() {
        map.entry(attribute).or_insert_with(default);
    }
}
