//! Groups, which the API calls roles. Two families of calls write them, `Roles/*` and `SaasManage/*`; which of them a
//! tenant exposes differs, so each write is tried with the first and, on a bare 404, with the other.

use serde_json::{Value, json};

use super::{
    super::{
        failure::{Class, Failure, Trouble},
        groups::{Member, Members, Role},
        rows::{self, Row, column},
        same_id, same_name,
    },
    Rpc,
    redrock::{Query, Table},
    reports,
};

pub(crate) const STORE_ROLE: &str = "Roles/StoreRole";
pub(crate) const UPDATE_ROLE: &str = "Roles/UpdateRole";
pub(crate) const DELETE_ROLE: &str = "SaasManage/DeleteRole";
pub(crate) const STORE_ROLE_HERITAGE: &str = "SaasManage/StoreRole";
const UPDATE_ROLE_HERITAGE: &str = "SaasManage/UpdateRole";
pub(crate) const ADD_TO_ROLE: &str = "SaasManage/AddUsersAndGroupsToRole";
const REMOVE_FROM_ROLE: &str = "SaasManage/RemoveUsersAndGroupsFromRole";
const DELETE_ROLES: &str = "SaasManage/DeleteRoles";
pub(crate) const GET_ROLE: &str = "SaasManage/GetRole";
pub(crate) const PAGED_MEMBERS: &str = "Roles/GetPagedRoleMembers";
pub(crate) const MEMBERS: &str = "SaasManage/GetRoleMembers";

/// The report that finds groups by a part of their name.
pub(crate) const ROLE_SEARCH: &str = "role_searchbyname";
pub(crate) const SYSTEM_ADMINISTRATOR: &str = "System Administrator";
const EVERYBODY: &str = "Everybody";

/// A family of calls that write groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `Roles/*`.
    Roles,
    /// `SaasManage/*`, the older one.
    Saas,
}

impl Family {
    fn store(self) -> &'static str {
        match self {
            Self::Roles => STORE_ROLE,
            Self::Saas => STORE_ROLE_HERITAGE,
        }
    }

    fn rename(self) -> &'static str {
        match self {
            Self::Roles => UPDATE_ROLE,
            Self::Saas => UPDATE_ROLE_HERITAGE,
        }
    }

    /// The call without which the family is of no use.
    fn members(self) -> &'static str {
        match self {
            Self::Roles => UPDATE_ROLE,
            Self::Saas => ADD_TO_ROLE,
        }
    }
}

impl Rpc {
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
        let search = format!("%{name}%");
        let rows = match self.report_rows(ROLE_SEARCH, &[("searchString", &search)], exact).await {
            Err(failure) if !failure.is_later() => {
                // Where there is no such report, a query may serve; else the report's failure is told.
                let queried = self.query_named(Table::Role, name).await;
                let mut rows = queried.map_err(|other| if other.is_later() { other } else { failure })?;
                rows.retain(exact);
                rows
            }
            rows => rows?,
        };
        if rows.iter().any(|row| row.text("ID").is_empty()) {
            return Err(Failure::unavailable(reports::RUN_REPORT, Trouble::Incomplete));
        }
        Ok(rows.iter().map(|row| read(row, row.text("ID"))).collect())
    }

    /// The families that may be used, as far as is known.
    pub(crate) fn families_in_force(&self) -> Vec<Family> {
        let lacks = |family: &&Family| self.client.lacks(family.members());
        self.families.iter().filter(|family| !lacks(family)).copied().collect()
    }

    /// Whether a group can be created and filled, as far as is known.
    pub(crate) fn creates_roles(&self) -> bool {
        let known = self.families_in_force();
        known.iter().any(|family| !self.client.lacks(family.store()))
    }

    /// The families in the order in which a call is tried; of those that are not there one all the same, so that a call says so.
    fn families(&self) -> Vec<Family> {
        let known = self.families_in_force();
        if known.is_empty() {
            return self.families[..1].to_vec();
        }
        known
    }

    /// All groups, page by page.
    pub(crate) fn all_roles(&self) -> RolePages<'_> {
        RolePages {
            rpc: self,
            report: Some(self.report(ROLE_SEARCH, &[("searchString", "%")])),
            query: None,
            began: false,
        }
    }

    /// Creates a group and gives its id, if the answer has it.
    pub(crate) async fn create_role(&self, name: &str) -> Result<Option<String>, Failure> {
        let body = json!({"Name": name, "Description": ""});
        let mut result = Err(Failure::NotExposed { method: STORE_ROLE });
        for family in self.families() {
            result = self.client.call(family.store(), &body).await;
            if !matches!(result, Err(Failure::NotExposed { .. })) {
                break;
            }
        }
        Ok(rows::created_id(&result?))
    }

    /// Gives a group another name.
    pub(crate) async fn rename_role(&self, id: &str, name: &str) -> Result<(), Failure> {
        check_id(UPDATE_ROLE, id)?;
        let body = json!({"Name": id, "NewName": name});
        let mut result = Err(Failure::NotExposed { method: UPDATE_ROLE });
        for family in self.families() {
            result = self.client.call(family.rename(), &body).await;
            if !matches!(result, Err(Failure::NotExposed { .. })) {
                break;
            }
        }
        result.map(drop)
    }

    /// Puts accounts into a group, then takes others out.
    pub(crate) async fn change_members(&self, id: &str, add: &[&str], delete: &[&str]) -> Result<(), Failure> {
        check_id(UPDATE_ROLE, id)?;
        let mut result = Err(Failure::NotExposed { method: UPDATE_ROLE });
        for family in self.families() {
            result = match family {
                Family::Roles => {
                    let body = json!({"Name": id, "Users": {"Add": add, "Delete": delete}});
                    self.client.call(UPDATE_ROLE, &body).await.map(drop)
                }
                Family::Saas => self.change_members_heritage(id, add, delete).await,
            };
            if !matches!(result, Err(Failure::NotExposed { .. })) {
                break;
            }
        }
        result
    }

    async fn change_members_heritage(&self, id: &str, add: &[&str], delete: &[&str]) -> Result<(), Failure> {
        for (method, users) in [(ADD_TO_ROLE, add), (REMOVE_FROM_ROLE, delete)] {
            if !users.is_empty() {
                self.client.call(method, &json!({"Name": id, "Users": users})).await?;
            }
        }
        Ok(())
    }

    /// Sends an update that changes nothing, to learn whether the group itself takes updates.
    pub(crate) async fn touch_role(&self, id: &str) -> Result<(), Failure> {
        let mut result = Err(Failure::NotExposed { method: UPDATE_ROLE });
        for family in self.families() {
            result = self.touch_by(family, id).await;
            if !matches!(result, Err(Failure::NotExposed { .. })) {
                break;
            }
        }
        result
    }

    /// The same by one family.
    pub(crate) async fn touch_by(&self, family: Family, id: &str) -> Result<(), Failure> {
        check_id(family.members(), id)?;
        let body = match family {
            Family::Roles => json!({"Name": id, "Users": {"Add": [], "Delete": []}}),
            Family::Saas => json!({"Name": id, "Users": []}),
        };
        self.client.call(family.members(), &body).await.map(drop)
    }

    /// Removes a group.
    pub(crate) async fn delete_role(&self, id: &str) -> Result<(), Failure> {
        check_id(DELETE_ROLE, id)?;
        match self.client.call(DELETE_ROLE, &json!({"Name": id})).await {
            Err(Failure::NotExposed { .. }) => self.client.call(DELETE_ROLES, &json!([id])).await.map(drop),
            result => result.map(drop),
        }
    }

    /// The members of a group, up to a bound; `None` when the Platform does not tell.
    pub(crate) async fn role_members(&self, id: &str, most: usize) -> Result<Option<Members>, Failure> {
        let mut reading = Reading::default();
        let size = most.min(self.reports.page_size);
        for page in 1.. {
            let body = json!({"Name": id, "PageNumber": page, "PageSize": size, "SortBy": "", "Ascending": true});
            match self.client.call_for_list(PAGED_MEMBERS, &body).await {
                Ok(result) => match reading.take(result) {
                    None => return Ok(None),
                    Some(More::No) => return Ok(Some(reading.members)),
                    Some(More::Perhaps) if reading.members.list.len() >= most => return Ok(Some(reading.members)),
                    Some(More::Perhaps) => {}
                },
                Err(failure) if failure.is_later() => return Err(failure),
                Err(_) if page == 1 => break,
                Err(_) => return Ok(None),
            }
        }
        match self.client.call_for_list(MEMBERS, &json!({"name": id})).await {
            Ok(result) => Ok(reading.take(result).map(|_| {
                let Reading { mut members, counted } = reading;
                members.complete = counted.is_none_or(|count| members.list.len() >= count);
                members
            })),
            Err(failure) if failure.is_later() => Err(failure),
            Err(_) => Ok(None),
        }
    }
}

/// A list of groups under way: a report, or, where there is none, a query.
pub(crate) struct RolePages<'a> {
    rpc: &'a Rpc,
    report: Option<reports::Pages<'a>>,
    query: Option<Query<'a>>,
    began: bool,
}

impl RolePages<'_> {
    /// The next groups; `None` after the last. After a failure the same page may be asked for again.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Role>>, Failure> {
        let page = match (&mut self.report, &mut self.query) {
            (Some(report), _) => match report.next().await {
                Err(failure) if !failure.is_later() && !self.began => {
                    self.report = None;
                    let mut query = self.rpc.query_all(Table::Role);
                    let page = query.next().await;
                    self.query = Some(query);
                    page.map_err(|other| if other.is_later() { other } else { failure })?
                }
                page => page?,
            },
            (None, Some(query)) => query.next().await?,
            (None, None) => None,
        };
        self.began = true;
        Ok(page.map(|page| page.iter().map(|row| read(row, row.text("ID"))).collect()))
    }
}

/// Members of a group, as their pages come.
#[derive(Default)]
struct Reading {
    members: Members,
    counted: Option<usize>,
}

impl Member {
    /// A row of a list of members.
    pub(crate) fn of(row: &Row) -> Self {
        Self {
            id: row.first(&["Guid", "ID", "Uuid"]).to_owned(),
            kind: row.text("Type").to_owned(),
        }
    }
}

/// Whether a further page may have more.
enum More {
    No,
    Perhaps,
}

impl Reading {
    /// Takes a page in; `None` when it is none, which does not say that there are no members.
    fn take(&mut self, result: Value) -> Option<More> {
        let is_list = result
            .as_object()
            .is_some_and(|result| column(result, "Results").is_some());
        let (rows, counted) = reports::rows(result).filter(|_| is_list)?;
        let Members { list, complete } = &mut self.members;
        let known = list.len();
        for row in &rows {
            let member = Member::of(row);
            // Pages may be given again and again where there are none.
            if !list[..known].iter().any(|listed| listed.id == member.id) {
                list.push(member);
            }
        }
        self.counted = counted.or(self.counted);
        let all_counted = self.counted.is_some_and(|count| list.len() >= count);
        let ended = list.len() == known;
        *complete = all_counted || (ended && self.counted.is_none());
        Some(if all_counted || ended { More::No } else { More::Perhaps })
    }
}

/// A row of a list as a group.
pub(crate) fn read(row: &Row, id: &str) -> Role {
    let name = row.text("Name");
    Role {
        id: id.to_owned(),
        name: name.to_owned(),
        built_in: row.flag("ReadOnly").unwrap_or_default() || is_built_in(name, id),
    }
}

/// Whether a group is one that every tenant has.
pub(crate) fn is_built_in(name: &str, id: &str) -> bool {
    same_name(name, EVERYBODY) || id.eq_ignore_ascii_case(EVERYBODY) || is_administrator(name, id)
}

/// An id must be there.
fn check_id(method: &'static str, id: &str) -> Result<(), Failure> {
    super::users::check_id(method, id)
}

/// Whether a group is that of the system administrators.
pub(crate) fn is_administrator(name: &str, id: &str) -> bool {
    same_name(name, SYSTEM_ADMINISTRATOR) || id.eq_ignore_ascii_case("sysadmin")
}
