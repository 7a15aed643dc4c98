//! Accounts at the SCIM endpoint.

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    super::{
        accounts::{Account, Listed, States},
        failure::{Class, Failure, Trouble},
        object_id::Backend,
        rows, same_name,
    },
    GET_USERS, PATCH_USERS, POST_USERS, Scim, check_id, fields,
    lists::member,
    literal,
};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

impl Scim {
    /// The account of that id; `None` when the endpoint says that there is none.
    pub(crate) async fn account(&self, id: &str) -> Result<Option<Account>, Failure> {
        check_id(GET_USERS, id)?;
        let user = match self.call(GET_USERS, Method::GET, &["Users", id], &[], None).await {
            Ok(user) => user,
            Err(failure) if failure.class() == Some(Class::NotFound) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let read = read(&user).filter(|account| Backend::of(&account.id).1 == id);
        // An answer about nobody, or about another account, must never be compared with this one's wishes.
        read.map(Some)
            .ok_or(Failure::unavailable(GET_USERS, Trouble::Incomplete))
    }

    /// The accounts of exactly that name, whatever its case.
    pub(crate) async fn accounts_named(&self, name: &str) -> Result<Vec<Listed>, Failure> {
        let filter = format!("userName eq {}", literal(name));
        let found = self.list("/Users", Some(filter)).rest().await?;
        let listed: Option<Vec<_>> = found.iter().map(listed).collect();
        let mut listed = listed.ok_or(Failure::unavailable(GET_USERS, Trouble::Incomplete))?;
        // A server that knows no filter gives everybody.
        listed.retain(|account| same_name(&account.name, name));
        Ok(listed)
    }

    /// Creates an account and gives its id, if the answer has it. It gets no password: who signs in does so by the Platform's
    /// identity provider.
    pub(crate) async fn create_account(&self, given: &Map<String, Value>) -> Result<Option<String>, Failure> {
        let mut user = fields::body(given);
        user.insert("schemas".to_owned(), json!([USER]));
        user.insert("active".to_owned(), true.into());
        let user = Value::Object(user);
        let created = self
            .call(POST_USERS, Method::POST, &["Users"], &[], Some(&user))
            .await?;
        Ok(member(&created, "id")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())
            .map(str::to_owned))
    }

    /// Changes fields of an account.
    pub(crate) async fn change_account(&self, id: &str, changes: &Map<String, Value>) -> Result<(), Failure> {
        self.patch(PATCH_USERS, "Users", id, fields::operations(changes)).await
    }

    /// Lets an account be used, or not.
    pub(crate) async fn set_active(&self, id: &str, active: bool) -> Result<(), Failure> {
        let operation = json!({"op": "replace", "path": "active", "value": active});
        self.patch(PATCH_USERS, "Users", id, vec![operation]).await
    }
}

fn read(user: &Value) -> Option<Account> {
    let Listed { id, name, disabled, .. } = listed(user)?;
    Some(Account {
        id,
        name,
        // Where the endpoint does not say, the account is taken for enabled: disabling it does no harm.
        states: States::default().with_disabled(disabled == Some(true)),
        local: None,
        attributes: fields::row(user),
    })
}

/// A user of a list as an account; `None` where it lacks an id or a name.
pub(crate) fn listed(user: &Value) -> Option<Listed> {
    let text = |name| member(user, name).and_then(Value::as_str).map(str::to_owned);
    let attributes = fields::row(user);
    Some(Listed {
        id: Backend::Scim.kept(&text("id").filter(|id| !id.is_empty())?),
        name: text("userName").filter(|name| !name.is_empty())?,
        display_name: text("displayName"),
        mail: attributes.has("Mail").then(|| attributes.text("Mail").to_owned()),
        disabled: member(user, "active").and_then(rows::flag).map(|active| !active),
        service_user: None,
        local: None,
    })
}
