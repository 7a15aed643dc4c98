//! Accounts: looked up, read, created, changed, disabled and removed by the RPC calls that modern tenants expose.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{
    super::{
        accounts::{Account, Listed, States},
        failure::{Class, Failure, Trouble},
        rows::{self, Row},
        same_id, same_name,
    },
    Rpc, reports, roles,
};

pub(crate) const CREATE_USER: &str = "CDirectoryService/CreateUser";
pub(crate) const CHANGE_USER: &str = "CDirectoryService/ChangeUser";
pub(crate) const GET_USER_ATTRIBUTES: &str = "UserMgmt/GetUserAttributes";
pub(crate) const GET_USER_BY_NAME: &str = "CDirectoryService/GetUserByName";
pub(crate) const REMOVE_USERS: &str = "UserMgmt/RemoveUsers";
const REMOVE_USER: &str = "UserMgmt/RemoveUser";
pub(crate) const USERS_RIGHTS: &str = "UserMgmt/GetUsersRolesAndAdministrativeRights";
/// The list of local accounts: one call, no pages.
pub(crate) const LOCAL_USERS: &str = "entities/localusers";

/// Without these calls accounts cannot be kept by RPC.
pub(crate) const WRITES: [&str; 2] = [CREATE_USER, CHANGE_USER];

/// The report that finds accounts by a part of their name.
pub(crate) const USER_SEARCH: &str = "user_searchbyname";
const USER_BY_ID: &str = "user_byid";
/// How many members of a group are read to find an administrator, and of how many groups.
const MEMBERS_READ: usize = 1000;
const GROUPS_READ: usize = 50;
const DISABLED: &str = "Disabled";

impl Rpc {
    /// The account of that id; `None` when it is definitely gone. One refusal is not enough to say so: its text is not
    /// documented, so a report has to agree.
    pub(crate) async fn account(&self, id: &str) -> Result<Option<Account>, Failure> {
        check_id(GET_USER_ATTRIBUTES, id)?;
        let failure = match self.client.call(GET_USER_ATTRIBUTES, &json!({"ID": id})).await {
            Ok(Value::Object(attributes)) => {
                let account = self.read_account(id, Row(attributes));
                // An answer about nobody, or about another account, must never be compared with this one's wishes.
                let answered = account.attributes.first(&["Uuid", "ID"]);
                if account.name.is_empty() || !same_id(answered, id) {
                    return Err(Failure::unavailable(GET_USER_ATTRIBUTES, Trouble::Incomplete));
                }
                return Ok(Some(self.with_lock(account).await?));
            }
            Ok(_) => Failure::refused(GET_USER_ATTRIBUTES, Class::NotFound, "no answer"),
            Err(failure) if failure.is_about_object() => failure,
            Err(failure) => return Err(failure),
        };
        let same = |row: &Row| same_id(row.text("ID"), id);
        match self.report_rows(USER_BY_ID, &[("userid", id)], same).await {
            Ok(rows) if rows.is_empty() => Ok(None),
            Ok(_) => Err(failure),
            Err(other) if other.is_later() => Err(other),
            // Where there is no such report, a clear "not found" has to do.
            Err(_) if failure.class() == Some(Class::NotFound) => Ok(None),
            Err(_) => Err(failure),
        }
    }

    fn read_account(&self, id: &str, attributes: Row) -> Account {
        Account {
            id: id.to_owned(),
            name: attributes.first(&["Name", "Username"]).to_owned(),
            states: States::parse(attributes.text("State")),
            local: self.is_local(&attributes),
            attributes,
        }
    }

    /// The accounts of exactly that name, whatever its case.
    pub(crate) async fn accounts_named(&self, name: &str) -> Result<Vec<Listed>, Failure> {
        let search = format!("%{name}%");
        let exact = |row: &Row| same_name(row.first(&["Username", "Name"]), name);
        let parameters = [("searchString", search.as_str()), ("orderby", "")];
        let rows = match self.report_rows(USER_SEARCH, &parameters, exact).await {
            Ok(rows) => rows,
            Err(failure) => {
                let mut rows = self.rows_without_report(name, failure).await?;
                rows.retain(exact);
                rows
            }
        };
        if rows.iter().any(|row| row.text("ID").is_empty()) {
            return Err(Failure::unavailable(reports::RUN_REPORT, Trouble::Incomplete));
        }
        Ok(rows.iter().map(|row| self.listed(row)).collect())
    }

    /// A row of a list as an account.
    pub(crate) fn listed(&self, row: &Row) -> Listed {
        let text = |names: &[&str]| row.first(names).to_owned();
        let said = |names: &[&str]| {
            let mut texts = names.iter().filter_map(|name| rows::column(&row.0, name)?.as_str());
            texts.next().map(str::to_owned)
        };
        Listed {
            id: text(&["ID", "Uuid"]),
            name: text(&["Username", "Name"]),
            display_name: said(&["DisplayName"]),
            mail: said(&["Email", "Mail"]),
            disabled: listed_disabled(row),
            service_user: row.flag("ServiceUser"),
            local: self.is_local(row),
        }
    }

    fn is_local(&self, row: &Row) -> Option<bool> {
        let uuid = row.text("DirectoryServiceUuid");
        if !uuid.is_empty() {
            return Some(same_id(uuid, &self.cds_uuid));
        }
        let kind = row.first(&["SourceDsType", "SourceDs"]);
        (!kind.is_empty()).then(|| kind.eq_ignore_ascii_case("CDS"))
    }

    /// Creates an account and gives its id, if the answer has it.
    pub(crate) async fn create_account(
        &self,
        mut fields: Map<String, Value>,
        password: &SecretString,
    ) -> Result<Option<String>, Failure> {
        fields.insert("Password".to_owned(), password.expose_secret().into());
        let result = self.client.call(CREATE_USER, &Value::Object(fields)).await?;
        Ok(rows::created_id(&result))
    }

    /// Changes fields of an account. Without an id the Platform would change the caller, so that is never sent.
    pub(crate) async fn change_account(&self, id: &str, mut fields: Map<String, Value>) -> Result<(), Failure> {
        check_id(CHANGE_USER, id)?;
        fields.insert("ID".to_owned(), id.into());
        self.client.call(CHANGE_USER, &Value::Object(fields)).await.map(drop)
    }

    /// Removes an account.
    pub(crate) async fn remove_account(&self, id: &str) -> Result<(), Failure> {
        check_id(REMOVE_USERS, id)?;
        match self.client.call(REMOVE_USERS, &json!({"Users": [id]})).await {
            Err(Failure::NotExposed { .. }) => {}
            result => return result.map(drop),
        }
        self.client.call_by_query(REMOVE_USER, &[("id", id)]).await.map(drop)
    }

    /// Whether an account is a system administrator, by itself or as a member of a group that is; `None` when the Platform
    /// does not tell.
    pub(crate) async fn is_system_administrator(&self, id: &str) -> Result<Option<bool>, Failure> {
        check_id(USERS_RIGHTS, id)?;
        match self.client.call(USERS_RIGHTS, &json!({"id": id})).await {
            Ok(result) if roles_name_administrator(&result) => return Ok(Some(true)),
            // It may list direct roles only, or a page of them: that the right one is missing says nothing.
            Ok(_) => {}
            Err(failure) if failure.is_later() => return Err(failure),
            Err(_) => {}
        }
        let administrators = self.roles_named(roles::SYSTEM_ADMINISTRATOR).await?;
        let mut groups: Vec<String> = administrators.into_iter().map(|role| role.id).collect();
        let mut told = !groups.is_empty();
        let mut next = 0;
        while let Some(group) = groups.get(next).cloned() {
            next += 1;
            let members = match self.role_members(&group, MEMBERS_READ).await? {
                Some(members) if next <= GROUPS_READ => members,
                _ => return Ok(None),
            };
            if members.contain(id) {
                return Ok(Some(true));
            }
            told &= members.complete;
            for member in members.list {
                match member.kind.to_lowercase().as_str() {
                    // Directory groups hold accounts of their directories, never a local one.
                    "user" | "group" => {}
                    "role" if groups.iter().any(|known| same_id(known, &member.id)) => {}
                    "role" => groups.push(member.id),
                    _ => told = false,
                }
            }
        }
        Ok(told.then_some(false))
    }
}

/// Whether a row says that the account is disabled. A status is one word, and hides what else the account is.
fn listed_disabled(row: &Row) -> Option<bool> {
    if row.has("State") {
        return Some(States::parse(row.text("State")).is_disabled());
    }
    let status = row.first(&["StatusEnum", "Status"]);
    let is = |word: &str| status.eq_ignore_ascii_case(word);
    match () {
        () if is(DISABLED) => Some(true),
        () if is("Active") => Some(false),
        () => None,
    }
}

/// Whether a list of roles has the system administrators' among it.
fn roles_name_administrator(result: &Value) -> bool {
    let rows = reports::rows(result.clone()).map(|(rows, _)| rows).unwrap_or_default();
    rows.iter()
        .any(|row| roles::is_administrator(row.first(&["Name", "RoleName"]), row.first(&["ID", "_RowKey"])))
}

/// An id must be there: some calls without one are about the caller.
pub(super) fn check_id(method: &'static str, id: &str) -> Result<(), Failure> {
    if id.trim().is_empty() {
        return Err(Failure::refused(method, Class::Validation, "the id is empty; not sent"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_believed_only_where_it_is_certain() {
        for (row, disabled) in [
            (json!({"State": "None"}), Some(false)),
            (json!({"State": "Locked,Disabled", "Status": "Active"}), Some(true)),
            (json!({"StatusEnum": "Active"}), Some(false)),
            (json!({"status": "disabled"}), Some(true)),
            (json!({"Status": "Locked"}), None),
            (json!({"ID": "1"}), None),
        ] {
            let Value::Object(object) = row.clone() else {
                unreachable!("an object literal")
            };
            assert_eq!(listed_disabled(&Row(object)), disabled, "{row}");
        }
    }

    #[test]
    fn an_administrator_is_told_by_roles_only() {
        let rows = |rows: Value| roles_name_administrator(&json!({"Results": rows}));
        assert!(rows(
            json!([{"Row": {"Name": "Other"}}, {"Row": {"Name": "System Administrator"}}])
        ));
        assert!(rows(json!([{"Row": {"Name": "x", "ID": "sysadmin"}}])));
        assert!(!rows(json!([{"Row": {"Name": "Everybody"}}])));
        assert!(!rows(json!([])));
        assert!(!rows(json!([{"Row": {"Right": "x"}}])));
    }
}
