//! Groups, which the API calls roles. Two families of calls write them, `Roles/*` and `SaasManage/*`; which of them a
//! tenant exposes differs, so each write is tried with the first and, on a bare 404, with the other.

use serde_json::{Value, json};

use super::{
    Connection,
    failure::{Class, Failure, Trouble},
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
pub(crate) const PAGED_MEMBERS: &str = "Roles/GetPagedRoleMembers";
pub(crate) const MEMBERS: &str = "SaasManage/GetRoleMembers";

/// The report that finds groups by a part of their name.
pub(crate) const ROLE_SEARCH: &str = "role_searchbyname";
pub(crate) const SYSTEM_ADMINISTRATOR: &str = "System Administrator";
const EVERYBODY: &str = "Everybody";

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
            // A report may still list what is gone.
            Err(failure) if failure.class() == Some(Class::NotFound) => return Ok(None),
            Err(failure) if failure.is_about_object() || matches!(failure, Failure::NotExposed { .. }) => {}
            // A missing right, say, must not make a group look as if it were gone.
            Err(failure) => return Err(failure),
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
        let exact = |row: &Row| same_name(row.text("Name"), name);
        let rows = self
            .report_rows(ROLE_SEARCH, &[("searchString", &format!("%{name}%"))], exact)
            .await?;
        if rows.iter().any(|row| row.text("ID").is_empty()) {
            return Err(Failure::unavailable(reports::RUN_REPORT, Trouble::Incomplete));
        }
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

    /// The members of a group, up to a bound; `None` when the Platform does not tell.
    pub(crate) async fn role_members(&self, id: &str, most: usize) -> Result<Option<Members>, Failure> {
        let mut members = Members::default();
        let size = most.min(self.reports.page_size);
        for page in 1.. {
            let body = json!({"Name": id, "PageNumber": page, "PageSize": size, "SortBy": "", "Ascending": true});
            match self.client.call_for_list(PAGED_MEMBERS, &body).await {
                Ok(result) => match members.take(result) {
                    None => return Ok(None),
                    Some(More::No) => return Ok(Some(members)),
                    Some(More::Perhaps) if members.list.len() >= most => return Ok(Some(members)),
                    Some(More::Perhaps) => {}
                },
                Err(failure) if failure.is_later() => return Err(failure),
                Err(_) if page == 1 => break,
                Err(_) => return Ok(None),
            }
        }
        match self.client.call_for_list(MEMBERS, &json!({"name": id})).await {
            Ok(result) => Ok(members.take(result).map(|_| {
                members.complete = members.counted.is_none_or(|count| members.list.len() >= count);
                members
            })),
            Err(failure) if failure.is_later() => Err(failure),
            Err(_) => Ok(None),
        }
    }
}

/// Members of a group.
#[derive(Debug, Default)]
pub(crate) struct Members {
    pub(crate) list: Vec<Member>,
    /// Whether these are all.
    pub(crate) complete: bool,
    counted: Option<usize>,
}

/// A member of a group.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: String,
    /// `User`, `Role` or `Group`; empty where the Platform does not say.
    pub(crate) kind: String,
}

impl Member {
    /// A row of a list of members.
    pub(crate) fn of(row: &Row) -> Self {
        Self {
            id: row.first(&["Guid", "ID", "Uuid"]).to_owned(),
            kind: row.text("Type").to_owned(),
        }
    }

    /// Whether it is an account, as far as the Platform says.
    pub(crate) fn is_account(&self) -> bool {
        self.kind.is_empty() || self.kind.eq_ignore_ascii_case("User")
    }
}

/// Whether a further page may have more.
enum More {
    No,
    Perhaps,
}

impl Members {
    pub(crate) fn contain(&self, id: &str) -> bool {
        self.list.iter().any(|member| same_id(&member.id, id))
    }

    /// Takes a page in; `None` when it is none, which does not say that there are no members.
    fn take(&mut self, result: Value) -> Option<More> {
        let is_list = result
            .as_object()
            .is_some_and(|result| column(result, "Results").is_some());
        let (rows, counted) = reports::rows(result).filter(|_| is_list)?;
        let known = self.list.len();
        for row in &rows {
            let member = Member::of(row);
            // Pages may be given again and again where there are none.
            if !self.list[..known].iter().any(|listed| listed.id == member.id) {
                self.list.push(member);
            }
        }
        self.counted = counted.or(self.counted);
        let all_counted = self.counted.is_some_and(|count| self.list.len() >= count);
        let ended = self.list.len() == known;
        self.complete = all_counted || (ended && self.counted.is_none());
        Some(if all_counted || ended { More::No } else { More::Perhaps })
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
