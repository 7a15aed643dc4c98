//! Groups at the SCIM endpoint.

use http::Method;
use serde_json::{Value, json};

use super::{
    super::{
        failure::{Class, Failure, Trouble},
        groups::{Member, Role},
        object_id::Backend,
        rpc::roles,
        same_name,
    },
    GET_GROUPS, PATCH_GROUPS, POST_GROUPS, Scim, check_id,
    lists::member,
    literal,
};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

impl Scim {
    /// The group of that id; `None` when the endpoint says that there is none.
    pub(crate) async fn group(&self, id: &str) -> Result<Option<Role>, Failure> {
        let found = self.read_group(id, &[("excludedAttributes", "members")]).await?;
        let read = |group: Value| read(&group).ok_or(Failure::unavailable(GET_GROUPS, Trouble::Incomplete));
        found.map(read).transpose()
    }

    /// The groups of exactly that name, whatever its case.
    pub(crate) async fn groups_named(&self, name: &str) -> Result<Vec<Role>, Failure> {
        let filter = format!("displayName eq {}", literal(name));
        let found = self.list("/Groups", Some(filter)).rest().await?;
        let groups: Option<Vec<_>> = found.iter().map(read).collect();
        let mut groups = groups.ok_or(Failure::unavailable(GET_GROUPS, Trouble::Incomplete))?;
        groups.retain(|group| same_name(&group.name, name));
        Ok(groups)
    }

    /// Creates a group and gives its id, if the answer has it.
    pub(crate) async fn create_group(&self, name: &str) -> Result<Option<String>, Failure> {
        let group = json!({"schemas": [GROUP], "displayName": name});
        let created = self
            .call(POST_GROUPS, Method::POST, &["Groups"], &[], Some(&group))
            .await?;
        Ok(member(&created, "id")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())
            .map(str::to_owned))
    }

    /// Gives a group another name.
    pub(crate) async fn rename_group(&self, id: &str, name: &str) -> Result<(), Failure> {
        let operation = json!({"op": "replace", "path": "displayName", "value": name});
        self.patch(PATCH_GROUPS, "Groups", id, vec![operation]).await
    }

    /// Puts accounts into a group, then takes others out.
    pub(crate) async fn change_members(&self, id: &str, add: &[&str], delete: &[&str]) -> Result<(), Failure> {
        let mut operations = Vec::new();
        if !add.is_empty() {
            let members: Vec<_> = add.iter().map(|id| json!({"value": id})).collect();
            operations.push(json!({"op": "add", "path": "members", "value": members}));
        }
        // One path for each: servers differ in what they make of a list of values to remove.
        let out = |id: &&str| json!({"op": "remove", "path": format!("members[value eq {}]", literal(id))});
        operations.extend(delete.iter().map(out));
        self.patch(PATCH_GROUPS, "Groups", id, operations).await
    }

    /// The members of a group, all of them; `None` when there is no such group.
    pub(crate) async fn members(&self, id: &str) -> Result<Option<Vec<Member>>, Failure> {
        let Some(group) = self.read_group(id, &[]).await? else {
            return Ok(None);
        };
        let list = match member(&group, "members") {
            Some(Value::Array(list)) => list.clone(),
            // None at all may be left out (RFC 7643 §2.5).
            None | Some(Value::Null) => Vec::new(),
            Some(_) => return Err(Failure::unavailable(GET_GROUPS, Trouble::Incomplete)),
        };
        let one = |entry: &Value| {
            let text = |name| member(entry, name).and_then(Value::as_str).unwrap_or_default();
            // A member that is a group is a role in the words of the rest.
            let kind = if text("type").eq_ignore_ascii_case("Group") {
                "Role"
            } else {
                text("type")
            };
            (!text("value").is_empty()).then(|| Member {
                id: text("value").to_owned(),
                kind: kind.to_owned(),
            })
        };
        let members: Option<Vec<_>> = list.iter().map(one).collect();
        members
            .map(Some)
            .ok_or(Failure::unavailable(GET_GROUPS, Trouble::Incomplete))
    }

    async fn read_group(&self, id: &str, query: &[(&str, &str)]) -> Result<Option<Value>, Failure> {
        check_id(GET_GROUPS, id)?;
        match self.call(GET_GROUPS, Method::GET, &["Groups", id], query, None).await {
            Ok(group) if member(&group, "id").and_then(Value::as_str) == Some(id) => Ok(Some(group)),
            Ok(_) => Err(Failure::unavailable(GET_GROUPS, Trouble::Incomplete)),
            Err(failure) if failure.class() == Some(Class::NotFound) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// A group of a list; `None` where it lacks an id or a name.
pub(crate) fn read(group: &Value) -> Option<Role> {
    let text = |name| {
        member(group, name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let (id, name) = (text("id")?, text("displayName")?);
    Some(Role {
        id: Backend::Scim.kept(id),
        name: name.to_owned(),
        // The endpoint does not say so; their names do.
        built_in: roles::is_built_in(name, id),
    })
}
