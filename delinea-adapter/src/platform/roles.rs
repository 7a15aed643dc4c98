//! Groups, which the API calls roles. Two families of calls write them, `Roles/*` and `SaasManage/*`; which of them a
//! tenant exposes differs, so each write is tried with the first and, on a bare 404, with the other.

use serde_json::{Value, json};

use super::{
    Connection,
    failure::Failure,
    reports,
    rows::{self, Row, column},
    same_id, same_name,
};

pub(crate) const STORE_ROLE: &str = "Roles/StoreRole";
pub(crate) const UPDATE_ROLE: &str = "Roles/UpdateRole";
pub(crate) const DELETE_ROLE: &str = "SaasManage/DeleteRole";
const STORE_ROLE_HERITAGE: &str = "SaasManage/StoreRole";
const UPDATE_ROLE_HERITAGE: &str = "SaasManage/UpdateRole";
const ADD_TO_ROLE: &str = "SaasManage/AddUsersAndGroupsToRole";
const REMOVE_FROM_ROLE: &str = "SaasManage/RemoveUsersAndGroupsFromRole";
const DELETE_ROLES: &str = "SaasManage/DeleteRoles";
const GET_ROLE: &str = "SaasManage/GetRole";
const PAGED_MEMBERS: &str = "Roles/GetPagedRoleMembers";
const MEMBERS: &str = "SaasManage/GetRoleMembers";

/// The report that finds groups by a part of their name.
pub(crate) const ROLE_SEARCH: &str = "role_searchbyname";
pub(crate) const SYSTEM_ADMINISTRATOR: &str = "System Administrator";
const EVERYBODY: &str = "Everybody";
/// How many members are read at most: enough to see that a group is not empty, or to find an administrator.
pub(crate) const MEMBERS_READ: usize = 1000;

/// A group as it is read or listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Whether the Platform itself owns it.
    pub(crate) built_in: bool,
}

impl Connection {
    /// The group of that id; `None` when it is definitely gone. `likely_name` is tried before the whole list is read,
    /// where the Platform does not give a group by its id.
    pub(crate) async fn role(&self, id: &str, likely_name: Option<&str>) -> Result<Option<Role>, Failure> {
        match self
            .client
            .call(GET_ROLE, &json!({"name": id, "suppressPrincipalsList": true}))
            .await
        {
            Ok(Value::Object(attributes)) => {
                let row = Row(attributes);
                let keys = ["_RowKey", "Uuid", "ID"];
                if keys.iter().any(|key| same_id(row.text(key), id)) && !row.text("Name").is_empty() {
                    return Ok(Some(read(&row, id)));
                }
            }
            Ok(_) => {}
            Err(failure) if failure.is_later() => return Err(failure),
            Err(_) => {}
        }
        if let Some(name) = likely_name
            && let Some(role) = self
                .roles_named(name)
                .await?
                .into_iter()
                .find(|role| same_id(&role.id, id))
        {
            return Ok(Some(role));
        }
        let same = |row: &Row| same_id(row.text("ID"), id);
        let rows = self.report_rows(ROLE_SEARCH, &[("searchString", "%")], same).await?;
        Ok(rows.first().map(|row| read(row, id)))
    }

    /// The groups of exactly that name, whatever its case.
    pub(crate) async fn roles_named(&self, name: &str) -> Result<Vec<Role>, Failure> {
        let exact = |row: &Row| same_name(row.text("Name"), name) && !row.text("ID").is_empty();
        let rows = self
            .report_rows(ROLE_SEARCH, &[("searchString", &format!("%{name}%"))], exact)
            .await?;
        Ok(rows.iter().map(|row| read(row, row.text("ID"))).collect())
    }

    /// All groups, page by page.
    pub(crate) fn all_roles(&self) -> reports::Pages<'_> {
        self.report(ROLE_SEARCH, &[("searchString", "%")])
    }

    /// Creates a group and gives its id, if the answer has it.
    pub(crate) async fn create_role(&self, name: &str) -> Result<Option<String>, Failure> {
        let body = json!({"Name": name, "Description": ""});
        let result = match self.client.call(STORE_ROLE, &body).await {
            Err(Failure::NotExposed { .. }) => self.client.call(STORE_ROLE_HERITAGE, &body).await?,
            result => result?,
        };
        Ok(rows::created_id(&result))
    }

    /// Gives a group another name.
    pub(crate) async fn rename_role(&self, id: &str, name: &str) -> Result<(), Failure> {
        let body = json!({"Name": id, "NewName": name});
        match self.client.call(UPDATE_ROLE, &body).await {
            Err(Failure::NotExposed { .. }) => self.client.call(UPDATE_ROLE_HERITAGE, &body).await.map(drop),
            result => result.map(drop),
        }
    }

    /// Puts accounts into a group and takes others out.
    pub(crate) async fn change_members(&self, id: &str, add: &[&str], delete: &[&str]) -> Result<(), Failure> {
        let body = json!({"Name": id, "Users": {"Add": add, "Delete": delete}});
        match self.client.call(UPDATE_ROLE, &body).await {
            Err(Failure::NotExposed { .. }) => {}
            result => return result.map(drop),
        }
        for (method, users) in [(ADD_TO_ROLE, add), (REMOVE_FROM_ROLE, delete)] {
            if !users.is_empty() {
                self.client.call(method, &json!({"Name": id, "Users": users})).await?;
            }
        }
        Ok(())
    }

    /// Sends an update that changes nothing, to learn whether the group itself takes updates.
    pub(crate) async fn touch_role(&self, id: &str) -> Result<(), Failure> {
        self.client
            .call(UPDATE_ROLE, &json!({"Name": id, "Users": {"Add": [], "Delete": []}}))
            .await
            .map(drop)
    }

    /// The same by the heritage family.
    pub(crate) async fn touch_role_heritage(&self, id: &str) -> Result<(), Failure> {
        self.client
            .call(ADD_TO_ROLE, &json!({"Name": id, "Users": []}))
            .await
            .map(drop)
    }

    /// Removes a group.
    pub(crate) async fn delete_role(&self, id: &str) -> Result<(), Failure> {
        match self.client.call(DELETE_ROLE, &json!({"Name": id})).await {
            Err(Failure::NotExposed { .. }) => self.client.call(DELETE_ROLES, &json!([id])).await.map(drop),
            result => result.map(drop),
        }
    }

    /// Ids of members of a group, up to a bound; `None` when the Platform does not tell.
    pub(crate) async fn role_members(&self, id: &str) -> Result<Option<Vec<String>>, Failure> {
        let paged = json!({"Name": id, "PageNumber": 1, "PageSize": MEMBERS_READ, "SortBy": "", "Ascending": true});
        for (method, body) in [(PAGED_MEMBERS, paged), (MEMBERS, json!({"name": id}))] {
            match self.client.call_for_list(method, &body).await {
                Ok(result) => {
                    // What is no list of rows does not say that there are none.
                    let is_list = result
                        .as_object()
                        .is_some_and(|result| column(result, "Results").is_some());
                    let rows = reports::rows(result).filter(|_| is_list).map(|(rows, _)| rows);
                    return Ok(rows.map(|rows| {
                        rows.iter()
                            .map(|row| row.first(&["Guid", "ID", "Uuid"]).to_owned())
                            .collect()
                    }));
                }
                Err(failure) if failure.is_later() => return Err(failure),
                Err(_) => {}
            }
        }
        Ok(None)
    }
}

/// A row of a list as a group.
pub(crate) fn read(row: &Row, id: &str) -> Role {
    let name = row.text("Name");
    Role {
        id: id.to_owned(),
        name: name.to_owned(),
        built_in: row.flag("ReadOnly").unwrap_or_default()
            || same_name(name, EVERYBODY)
            || id.eq_ignore_ascii_case(EVERYBODY)
            || is_administrator(name, id),
    }
}

/// Whether a group is that of the system administrators.
pub(crate) fn is_administrator(name: &str, id: &str) -> bool {
    same_name(name, SYSTEM_ADMINISTRATOR) || id.eq_ignore_ascii_case("sysadmin")
}
