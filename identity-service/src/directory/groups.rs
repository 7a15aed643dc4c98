//! Groups: create, replace, patch. Attributes go through the document, members through the store's sets.

use scim::{Operation, Step, canonicalize};
use serde_json::Value;

use super::{Caller, Directory, RACES, bounded, members::MemberPlan, parse_id, users::document_change};
use crate::{
    error::Error,
    id::{Kind, ResourceId, Tenant},
    index::{keys, name_key},
    record::Record,
    store::{Action, MemberChange, Written},
};

const MEMBERS: &str = "members";

impl Directory {
    /// Creates a group from a SCIM body.
    pub async fn create_group(&self, body: Value, caller: Caller) -> Result<Record, Error> {
        let (document, members) = self.split(body)?;
        let id = ResourceId::generate();
        let keys = keys(Kind::Group, &document);
        let name = name_key(Kind::Group, &document);
        let joined = members.clone();
        let diff = self.diff(Kind::Group, &Value::Null, &document);
        let action = Action::Create {
            document,
            keys,
            members,
        };
        let written = self
            .attempt(self.step(Kind::Group, id, action, diff, &caller), "", &caller)
            .await;
        let written = self.naming_the_holder(Kind::Group, name, written).await?;
        let written = written.ok_or(Error::Contention)?;
        self.verdict(&written, &joined, &caller).await?;
        Ok(written.record)
    }

    /// Replaces a group, members included; gives it and whether anything changed.
    pub async fn replace_group(&self, id: &str, body: Value, caller: Caller) -> Result<(Record, bool), Error> {
        let (document, members) = self.split(body)?;
        let change = MemberChange {
            replace: true,
            add: members,
            remove: Vec::new(),
        };
        let parsed = parse_id(Kind::Group, id)?;
        if let Some(first) = self.answered(&caller).await? {
            return Ok((first.record, first.changed));
        }
        let mut looked_again = false;
        for _ in 0..RACES {
            let present = self.get(Kind::Group, id).await?;
            let replaced = scim::replace(self.schema(Kind::Group), &present.document, document.clone())?;
            let diff = self.diff(Kind::Group, &present.document, &replaced);
            let document = document_change(Kind::Group, &present, replaced)?;
            let action = Action::Update {
                document,
                members: Some(change.clone()),
            };
            if let Some(written) = self
                .attempt(self.step(Kind::Group, parsed, action, diff, &caller), id, &caller)
                .await?
            {
                warn_of_dropped_members(self.tenant(), &written, "PUT without some of the members");
                self.verdict(&written, &change.add, &caller).await?;
                if !looked_again && self.is_another(&written, written.record.version).await? {
                    looked_again = true;
                    continue;
                }
                return Ok((written.record, written.changed));
            }
        }
        Err(Error::Contention)
    }

    /// Patches a group; gives it and whether anything changed.
    pub async fn patch_group(
        &self,
        id: &str,
        operations: Vec<Operation>,
        caller: Caller,
    ) -> Result<(Record, bool), Error> {
        let schema = self.schema(Kind::Group);
        let steps = scim::steps(schema, operations)?;
        let (membership, attributes): (Vec<Step>, Vec<Step>) = steps
            .into_iter()
            .partition(|step| schema.names_core(&step.path.attr, MEMBERS));
        let parsed = parse_id(Kind::Group, id)?;
        if let Some(first) = self.answered(&caller).await? {
            return Ok((first.record, first.changed));
        }
        let mut looked_again = false;
        for _ in 0..RACES {
            let (mut document, mut diff) = (None, Vec::new());
            if !attributes.is_empty() {
                let present = self.get(Kind::Group, id).await?;
                let changed = scim::apply(schema, present.document.clone(), &attributes)?;
                diff = self.diff(Kind::Group, &present.document, &changed);
                document = document_change(Kind::Group, &present, changed)?;
            }
            let members = self.member_change(parsed, &membership).await?;
            let concerned: Vec<_> = members.iter().flat_map(MemberChange::named).collect();
            let action = Action::Update { document, members };
            if let Some(written) = self
                .attempt(self.step(Kind::Group, parsed, action, diff, &caller), id, &caller)
                .await?
            {
                warn_of_dropped_members(self.tenant(), &written, "PATCH `replace` of members");
                self.verdict(&written, &concerned, &caller).await?;
                if !looked_again && self.is_another(&written, written.record.version).await? {
                    looked_again = true;
                    continue;
                }
                return Ok((written.record, written.changed));
            }
        }
        Err(Error::Contention)
    }

    async fn member_change(&self, group: ResourceId, steps: &[Step]) -> Result<Option<MemberChange>, Error> {
        if steps.is_empty() {
            return Ok(None);
        }
        let mut plan = MemberPlan::new(self.served.policy.members_replace);
        for step in steps {
            let mut matching = Vec::new();
            if let Some(filter) = plan.filter_of(step)? {
                matching = self.added_matching(&plan, &filter).await;
                if !plan.replaces() {
                    matching.extend(self.members_matching(group, &filter).await?);
                }
            }
            plan.take(step, &matching)?;
        }
        Ok(Some(plan.into_change()))
    }

    /// A body as the document that is kept, and the members beside it.
    fn split(&self, body: Value) -> Result<(Value, Vec<ResourceId>), Error> {
        let mut document = canonicalize(self.schema(Kind::Group), body)?;
        let members = document.as_object_mut().and_then(|map| map.remove(MEMBERS));
        let values = members.as_ref().and_then(Value::as_array).into_iter().flatten();
        let mut ids = Vec::new();
        for value in values.filter_map(|member| member.get("value")?.as_str()) {
            ids.push(
                value
                    .parse()
                    .map_err(|_| Error::UnknownMember(value.chars().take(64).collect()))?,
            );
        }
        ids.sort_unstable();
        ids.dedup();
        bounded(&document)?;
        Ok((document, ids))
    }
}

/// `replace` on members is right by the RFC and dangerous when a client means "add": it is worth a look whenever it takes
/// members out. So is a PUT, which replaces everything.
fn warn_of_dropped_members(tenant: &Tenant, written: &Written, how: &str) {
    if written.replaced_out > 0 {
        crate::metrics::members_dropped_by_replace(tenant, written.replaced_out);
        tracing::warn!(
            scim.tenant = %tenant,
            scim.resource.id = %written.record.id,
            members = written.replaced_out,
            "a {how} took {} members out of group {}; MEMBERS_REPLACE=additive keeps a PATCH from doing so",
            written.replaced_out,
            written.record.id
        );
    }
}
