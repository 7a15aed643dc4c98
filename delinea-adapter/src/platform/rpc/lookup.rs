//! Finding and listing accounts and groups where the tenant has no report for it. The ways stand in one order, the best attested
//! first; each is left for the next only where it is not there, never where it fails for the moment.

use serde_json::{Value, json};

use crate::config::RestV3;

use super::{
    super::{
        accounts::Listed,
        failure::{Class, Failure, Trouble},
        rows::Row,
    },
    Rpc,
    redrock::{Query, Table},
    reports,
    users::{GET_USER_BY_NAME, LOCAL_USERS, USER_SEARCH},
};

const GET_USERS: &str = "CDirectoryService/GetUsers";
/// The newer REST reads, below the base path.
pub(crate) const REST_USERS: &str = "users";

/// A way to list accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The local accounts in one answer.
    Local,
    /// The report that searches by name.
    Report,
    /// The table `User`.
    Query,
    /// The newer REST list.
    Rest,
    /// All cloud users in one answer.
    All,
}

const WAYS: [Way; 5] = [Way::Local, Way::Report, Way::Query, Way::Rest, Way::All];

/// A list of accounts under way.
pub(crate) struct AccountPages<'a> {
    rpc: &'a Rpc,
    /// The ways that are left; the first is under way.
    ways: &'static [Way],
    report: Option<reports::Pages<'a>>,
    query: Option<Query<'a>>,
    ended: bool,
}

impl Rpc {
    /// All local accounts, page by page.
    pub(crate) fn all_accounts(&self) -> AccountPages<'_> {
        AccountPages {
            rpc: self,
            ways: &WAYS,
            report: None,
            query: None,
            ended: false,
        }
    }

    /// The accounts that may have a name, where the report cannot say.
    pub(super) async fn rows_without_report(&self, name: &str, report: Failure) -> Result<Vec<Row>, Failure> {
        if report.is_later() {
            return Err(report);
        }
        match self.client.call(GET_USER_BY_NAME, &json!({"username": name})).await {
            Ok(Value::Object(user)) => return Ok(vec![identified(user)]),
            Ok(_) => return Ok(Vec::new()),
            Err(failure) if failure.class() == Some(Class::NotFound) => return Ok(Vec::new()),
            Err(failure) if failure.is_later() => return Err(failure),
            Err(_) => {}
        }
        match self.query_named(Table::User, name).await {
            Err(failure) if failure.is_later() => return Err(failure),
            Err(_) => {}
            found => return found,
        }
        if self.rest_v3 >= RestV3::Lookup {
            return match self.client.get_one(REST_USERS, name, &REST_VERSION).await {
                Ok(Value::Object(user)) => Ok(vec![identified(user)]),
                Ok(_) => Err(Failure::unavailable(REST_USERS, Trouble::Incomplete)),
                Err(failure) if failure.class() == Some(Class::NotFound) => Ok(Vec::new()),
                Err(failure) => Err(failure),
            };
        }
        Err(report)
    }
}

const REST_VERSION: [(&str, &str); 1] = [("api-version", "3.0")];

/// An object of one account as a row of a list, whose id is in `ID`.
fn identified(user: serde_json::Map<String, Value>) -> Row {
    let mut row = Row(user);
    if row.text("ID").is_empty() {
        let id = row.first(&["Uuid", "_RowKey"]).to_owned();
        row.0.insert("ID".to_owned(), id.into());
    }
    row
}

impl AccountPages<'_> {
    /// The next accounts; `None` after the last. After a failure the same page may be asked for again.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Listed>>, Failure> {
        loop {
            let Some(way) = self.ways.first().copied().filter(|_| !self.ended) else {
                return Ok(None);
            };
            let began = self.report.is_some() || self.query.is_some();
            match self.page(way).await {
                Ok(page) => {
                    let listed = |rows: Vec<Row>| {
                        let accounts = rows.iter().map(|row| self.rpc.listed(row));
                        accounts.filter(|account| account.local != Some(false)).collect()
                    };
                    return Ok(page.map(listed));
                }
                // A list too long for one answer, or for the time that one may take, is read page by page, as where there is
                // no such list.
                Err(Failure::Unavailable {
                    trouble: Trouble::TooLong | Trouble::Timeout,
                    ..
                }) if way == Way::Local => {}
                Err(failure) if failure.is_later() || began || self.ways.len() == 1 => return Err(failure),
                Err(_) => {}
            }
            self.ways = &self.ways[1..];
            (self.report, self.query) = (None, None);
        }
    }

    async fn page(&mut self, way: Way) -> Result<Option<Vec<Row>>, Failure> {
        let rpc = self.rpc;
        match way {
            Way::Local if rpc.client.lacks(LOCAL_USERS) => Err(Failure::NotExposed { method: LOCAL_USERS }),
            Way::Local => {
                let list = rpc.client.get_list(LOCAL_USERS).await?;
                self.whole(LOCAL_USERS, list)
            }
            Way::Report => {
                let parameters = [("searchString", "%"), ("orderby", "")];
                let mut report = self
                    .report
                    .take()
                    .unwrap_or_else(|| rpc.report(USER_SEARCH, &parameters));
                let page = report.next().await;
                // A report that failed at once is no report under way.
                self.report = page.is_ok().then_some(report);
                page
            }
            Way::Query => {
                let mut query = self.query.take().unwrap_or_else(|| rpc.query_all(Table::User));
                let page = query.next().await;
                self.query = Some(query).filter(|_| page.is_ok());
                page
            }
            Way::Rest if rpc.rest_v3 < RestV3::List => Err(Failure::NotExposed { method: REST_USERS }),
            Way::Rest => self.rest().await,
            Way::All => {
                let result = rpc.client.call_for_list(GET_USERS, &json!({})).await?;
                let incomplete = || Failure::unavailable(GET_USERS, Trouble::Incomplete);
                let (rows, _) = reports::rows(result).ok_or_else(incomplete)?;
                self.ended = true;
                Ok((!rows.is_empty()).then_some(rows))
            }
        }
    }

    /// The newer REST list: one page, for how further ones are asked for is not known. A full page may have been cut off, so it
    /// passes for no list.
    async fn rest(&mut self) -> Result<Option<Vec<Row>>, Failure> {
        const MOST: usize = 1000;
        let size = MOST.to_string();
        let query = [("api-version", "3.0"), ("pageSize", size.as_str())];
        let answer = self.rpc.client.get_json(REST_USERS, &query).await?;
        let users = answer.pointer("/_embedded/users").and_then(Value::as_array).cloned();
        let users = users.ok_or(Failure::unavailable(REST_USERS, Trouble::Incomplete))?;
        if users.len() >= MOST {
            return Err(Failure::unavailable(REST_USERS, Trouble::TooLong));
        }
        self.whole(REST_USERS, users)
    }

    /// A list that came whole.
    fn whole(&mut self, method: &'static str, list: Vec<Value>) -> Result<Option<Vec<Row>>, Failure> {
        let row = |entry| match entry {
            Value::Object(row) => Some(identified(row)),
            _ => None,
        };
        let rows: Option<Vec<_>> = list.into_iter().map(row).collect();
        let rows = rows.ok_or(Failure::unavailable(method, Trouble::Incomplete))?;
        self.ended = true;
        Ok((!rows.is_empty()).then_some(rows))
    }
}
