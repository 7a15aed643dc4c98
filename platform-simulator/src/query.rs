//! What reports and queries share: rows of two tables, the spelling of their columns, paging, and the cache that makes an
//! answer older than the state where the profile says so.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::envelope;
use crate::platform::Platform;
use crate::profile::ColumnCasing;
use crate::records::{Group, User, fold};

/// So many answers are kept.
const CACHED: usize = 64;

/// A column: its name, and its name in lower case where that is not simply the same letters.
pub(crate) type Column = (&'static str, Option<&'static str>);

/// The columns of accounts.
pub(crate) const USER_COLUMNS: &[Column] = &[
    ("ID", Some("ID")),
    ("Username", None),
    ("DisplayName", None),
    ("Email", None),
    ("SearchEmail", None),
    ("Status", None),
    ("StatusEnum", None),
    ("StatusDescription", None),
    ("CloudState", None),
    ("SourceDs", None),
    ("SourceDsLocalized", None),
    ("SourceDsInstance", None),
    ("SourceDsType", None),
    ("DirectoryServiceUuid", Some("directory service uuid")),
    ("UserType", None),
    ("PlatformUserMembershipType", None),
    ("ServiceUser", None),
    ("Visibility", None),
    ("RiskScore", None),
    ("Forest", None),
    ("LastLogin", None),
    ("LastInvite", None),
];

/// The columns of groups.
pub(crate) const GROUP_COLUMNS: &[Column] = &[
    ("ID", Some("ID")),
    ("Name", None),
    ("Description", None),
    ("RoleType", None),
    ("Visibility", None),
    ("ReadOnly", None),
    ("DirectoryServiceUuid", Some("directory service uuid")),
];

/// One of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    User,
    Role,
}

impl Table {
    pub(crate) fn columns(self) -> &'static [Column] {
        match self {
            Self::User => USER_COLUMNS,
            Self::Role => GROUP_COLUMNS,
        }
    }

    /// The column of this name in any letter case.
    pub(crate) fn column(self, name: &str) -> Option<Column> {
        self.columns()
            .iter()
            .find(|(column, _)| column.eq_ignore_ascii_case(name))
            .copied()
    }
}

/// One row, whose cells are read when they are wanted.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    User(Arc<User>),
    Group(Arc<Group>),
}

impl Row {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::User(user) => &user.id,
            Self::Group(group) => &group.id,
        }
    }

    /// The cell under this column, named as in the tables above.
    pub(crate) fn cell(&self, column: &str) -> Value {
        match self {
            Self::User(user) => user_cell(user, column),
            Self::Group(group) => group_cell(group, column),
        }
    }

    /// The cell as text, for comparing.
    pub(crate) fn text(&self, column: &str) -> String {
        match self.cell(column) {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }
}

fn user_cell(user: &User, column: &str) -> Value {
    match column {
        "ID" => json!(user.id),
        "Username" => json!(user.name),
        "DisplayName" => json!(user.display_name),
        "Email" | "SearchEmail" => json!(user.mail),
        "Status" | "StatusEnum" | "StatusDescription" => json!(user.status()),
        "CloudState" => json!(user.state),
        "SourceDs" | "SourceDsType" => json!(user.source_ds),
        "SourceDsLocalized" | "SourceDsInstance" => json!(user.directory_name()),
        "DirectoryServiceUuid" => json!(user.directory_uuid()),
        "UserType" => json!("User"),
        "PlatformUserMembershipType" => json!("Employee"),
        "ServiceUser" => json!(user.service_user),
        "Visibility" => json!("Visible"),
        "LastLogin" if user.last_login > 0 => json!(format!("/Date({})/", user.last_login)),
        _ => Value::Null,
    }
}

fn group_cell(group: &Group, column: &str) -> Value {
    match column {
        "ID" => json!(group.id),
        "Name" => json!(group.name),
        "Description" => json!(group.description),
        "RoleType" => json!("PrincipalList"),
        "Visibility" => json!("Visible"),
        "ReadOnly" => json!(group.built_in),
        "DirectoryServiceUuid" => json!(crate::records::CDS_UUID),
        _ => Value::Null,
    }
}

/// The part of an answer that the client wants, and how fresh.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) page_number: usize,
    pub(crate) page_size: usize,
    pub(crate) limit: usize,
    pub(crate) caching: i64,
    pub(crate) sort_by: Option<String>,
    pub(crate) ascending: bool,
}

/// The answer in the shape that reports and queries share.
pub(crate) fn answer(platform: &Platform, rows: &[Row], table: Table, columns: &[Column], args: &Args) -> Value {
    let profile = platform.profile();
    let casing = profile.column_casing;
    let shown = |(name, _): &&Column| profile.service_user_column || *name != "ServiceUser";
    let columns: Vec<Column> = columns.iter().filter(shown).copied().collect();
    let spelled: Vec<String> = columns.iter().map(|column| spell(*column, casing)).collect();
    let total = rows.len().min(args.limit);
    let size = profile.page_size(args.page_size);
    let start = (args.page_number - 1).saturating_mul(size).min(total);
    let end = start.saturating_add(size).min(total);
    let order = args.sort_by.as_deref().and_then(|name| table.column(name));
    let mut sorted = Vec::new();
    let page: &[Row] = match order {
        None => &rows[start..end],
        Some((column, _)) => {
            sorted.extend(rows.iter().cloned());
            sorted.sort_by_cached_key(|row| fold(&row.text(column)));
            if !args.ascending {
                sorted.reverse();
            }
            &sorted[start..end]
        }
    };
    let page = page.iter().map(|row| {
        let row = match row {
            Row::User(user) => Row::User(platform.seen(user)),
            Row::Group(group) => Row::Group(Arc::clone(group)),
        };
        let cells: Map<_, _> = spelled
            .iter()
            .cloned()
            .zip(columns.iter().map(|(name, _)| row.cell(name)))
            .collect();
        (row.id().to_owned(), Value::Object(cells))
    });
    let entity = if table == Table::User { "User" } else { "Role" };
    let full_count = profile.full_count.then_some(rows.len());
    envelope::rows(entity, &spelled, full_count, page.collect())
}

fn spell((name, lower): Column, casing: ColumnCasing) -> String {
    match casing {
        ColumnCasing::Pascal => name.to_owned(),
        ColumnCasing::Lower => lower.map_or_else(|| fold(name), str::to_owned),
    }
}

/// Answers of a while ago.
#[derive(Debug, Default)]
pub(crate) struct QueryCache(HashMap<String, (Instant, Arc<Vec<Row>>)>);

/// The rows for this question: fresh, or from the cache while the profile's lag lasts. `Caching` -1 asks for fresh rows and
/// refreshes the cache, anything below leaves the cache alone.
pub(crate) fn rows(
    platform: &Platform,
    question: String,
    caching: i64,
    find: impl FnOnce() -> Vec<Row>,
) -> Arc<Vec<Row>> {
    let lag = Duration::from_millis(platform.profile().query_lag_ms);
    if lag.is_zero() || caching < -1 {
        return Arc::new(find());
    }
    if caching >= 0
        && let Some((at, rows)) = platform.cache().0.get(&question)
        && at.elapsed() < lag
    {
        return Arc::clone(rows);
    }
    let rows = Arc::new(find());
    let mut cache = platform.cache();
    if cache.0.len() >= CACHED {
        cache.0.clear();
    }
    cache.0.insert(question, (Instant::now(), Arc::clone(&rows)));
    rows
}
