//! The table of fields: which SCIM attributes each is made of, and how. The default is data in the form of the tenant's own
//! file, which replaces and adds entries field by field. Only the direction from SCIM to the Platform exists.

use std::{collections::BTreeSet, sync::Arc};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    config::FieldName,
    entries::{self, Fault},
    platform::rows,
};

use super::{
    attributes, fields,
    path::Path,
    transform::{self, Step},
};

const DEFAULT: &str = include_str!("default.json");

/// How one field is made.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: Arc<str>,
    origins: Vec<Origin>,
    constant: Option<String>,
    steps: Vec<Step>,
    pub(super) when: When,
    pub(super) clear: Clear,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
enum Origin {
    Attribute(Path),
    /// The login name that was made of `userName`.
    LoginName,
    /// The Platform's id of the manager's account.
    ManagerAccount,
}

/// When a field is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum When {
    /// Whenever the account differs.
    #[default]
    Always,
    /// When the account is created, and never again.
    Create,
}

/// What becomes of the field when there is no value.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Clear {
    /// It is cleared.
    #[default]
    Clear,
    /// It stays as it is.
    Keep,
}

/// Which way values go.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Direction {
    ScimToPlatform,
}

/// An entry of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    platform: String,
    #[serde(default)]
    scim: Vec<String>,
    constant: Option<String>,
    #[serde(default)]
    transform: Vec<Step>,
    when: Option<When>,
    clear: Option<Clear>,
    #[serde(rename = "direction")]
    _direction: Option<Direction>,
    #[serde(default)]
    off: bool,
    #[serde(rename = "comment")]
    _comment: Option<String>,
}

/// What fields are made of.
pub(super) struct Source<'a> {
    pub(super) user: &'a Map<String, Value>,
    pub(super) login_name: &'a str,
    pub(super) manager: Option<&'a str>,
}

impl Field {
    /// The value for the field; `None` where there is none.
    pub(super) fn value(&self, from: &Source<'_>) -> Option<String> {
        let given = self.origins.iter().find_map(|origin| match origin {
            Origin::Attribute(path) => path.first(from.user),
            Origin::LoginName => Some(from.login_name.to_owned()),
            Origin::ManagerAccount => from.manager.map(str::to_owned).filter(|id| !id.is_empty()),
        });
        match given {
            Some(value) => transform::apply(&self.steps, value),
            None => self.constant.clone(),
        }
    }

    /// The attributes that it may be made of.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.origins.iter().filter_map(|origin| match origin {
            Origin::Attribute(path) => Some(path),
            Origin::LoginName | Origin::ManagerAccount => None,
        })
    }

    /// Whether it is made of the manager's account.
    pub(super) fn names_manager(&self) -> bool {
        let mut origins = self.origins.iter();
        origins.any(|origin| matches!(origin, Origin::ManagerAccount))
    }
}

/// The default table.
pub(super) fn default() -> Result<Vec<Field>, Fault> {
    let mut table = Vec::new();
    for entry in entries::parse::<Written>(DEFAULT)? {
        let field = field(entry.value).map_err(|reason| Fault::new(entry.line, reason))?;
        table.extend(field);
    }
    Ok(table)
}

/// The default table with what a tenant's file says in place of it.
pub(super) fn with(text: &str) -> Result<Vec<Field>, Fault> {
    let mut table = default()?;
    let mut given = BTreeSet::new();
    for entry in entries::parse::<Written>(text)? {
        let fault = |reason: String| Fault::new(entry.line, reason);
        let FieldName(name) = entry.value.platform.parse().map_err(fault)?;
        let off = entry.value.off;
        let new = field(entry.value).map_err(fault)?;
        let at = table.iter().position(|field| rows::same_column(&field.name, &name));
        if !given.insert(rows::folded(&name)) {
            return Err(fault(format!("the field {name} has an entry already")));
        }
        match (new, at) {
            (Some(new), Some(at)) => table[at] = new,
            (Some(new), None) => table.push(new),
            (None, Some(at)) => drop(table.remove(at)),
            (None, None) if off => return Err(fault(format!("the field {name} is not in the default table"))),
            (None, None) => {}
        }
    }
    Ok(table)
}

/// What an entry says; `None` where it switches the field off.
fn field(written: Written) -> Result<Option<Field>, String> {
    let FieldName(name) = written.platform.parse()?;
    if let Some(why) = fields::unmappable(&name) {
        return Err(format!("the field {name} cannot be mapped: {why}"));
    }
    let constant = written.constant.map(|text| text.trim().to_owned());
    let says_how = !written.scim.is_empty()
        || constant.is_some()
        || !written.transform.is_empty()
        || written.when.is_some()
        || written.clear.is_some();
    match (written.off, says_how) {
        (true, true) => return Err(format!("the field {name} is `off`; nothing else can be said of it")),
        (true, false) => return Ok(None),
        (false, _) => {}
    }
    if written.scim.is_empty() && constant.is_none() {
        return Err(format!("the field {name} needs `scim`, `constant` or `off`"));
    }
    if written.scim.is_empty() && !written.transform.is_empty() {
        return Err(format!("the field {name} is constant; nothing transforms it"));
    }
    if constant.as_deref() == Some("") {
        return Err(format!("the `constant` of the field {name} is empty"));
    }
    let origins: Result<_, _> = written.scim.iter().map(|text| origin(text)).collect();
    for step in &written.transform {
        step.check()?;
    }
    Ok(Some(Field {
        name: fields::known(&name).unwrap_or(&name).into(),
        origins: origins?,
        constant,
        steps: written.transform,
        when: written.when.unwrap_or_default(),
        clear: written.clear.unwrap_or_default(),
    }))
}

fn origin(text: &str) -> Result<Origin, String> {
    match text.trim() {
        "$loginName" => Ok(Origin::LoginName),
        "$managerAccount" => Ok(Origin::ManagerAccount),
        text if text.starts_with('$') => Err(format!(
            "`{text}` is neither an attribute nor one of `$loginName` and `$managerAccount`"
        )),
        text => {
            let path = Path::parse(text)?;
            attributes::check(&path)?;
            Ok(Origin::Attribute(path))
        }
    }
}

#[cfg(test)]
mod tests;
