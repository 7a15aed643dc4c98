//! From the body of a bulk request to its operations: what each asks for, or why it cannot be meant.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{BulkMethod, BulkOutcome, MAX_BULK_ID_BYTES, Refusal, reference, syntax, value};
use crate::{name::take, schema::ResourceType};

/// An operation and what has become of it.
#[derive(Debug)]
pub(super) struct Entry {
    /// The method, also where it is none of ours.
    pub(super) method: Option<String>,
    pub(super) bulk_id: Option<String>,
    /// What it asks for; taken when it is its turn.
    pub(super) task: Option<Result<Task, Refusal>>,
    /// The bulkIds that must have become ids before.
    pub(super) needs: Vec<String>,
    /// What its resource is created without.
    pub(super) aside: Option<Aside>,
    pub(super) resource: Option<(ResourceType, String)>,
    pub(super) outcome: Option<BulkOutcome>,
}

/// What an operation asks for.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) method: BulkMethod,
    pub(super) resource_type: ResourceType,
    pub(super) place: Place,
    pub(super) version: Option<String>,
    pub(super) data: Option<Value>,
}

/// Where it is done.
#[derive(Debug, PartialEq)]
pub(super) enum Place {
    /// At the endpoint: something is created.
    Endpoint,
    /// At the resource with this id.
    Resource(String),
    /// At the resource that the operation with this bulkId creates.
    Created(String),
}

/// The attributes that are set afterwards, and the bulkIds in them.
#[derive(Debug)]
pub(super) struct Aside {
    pub(super) attributes: Map<String, Value>,
    pub(super) needs: Vec<String>,
}

/// The operations, and how many errors the client accepts.
pub(super) fn request(body: Value, max_operations: usize) -> Result<(Vec<Entry>, Option<u64>), Refusal> {
    let Value::Object(mut body) = body else {
        return Err(syntax("the body is not a JSON object"));
    };
    let patience = match take(&mut body, "failOnErrors").map_err(syntax)? {
        None | Some(Value::Null) => None,
        Some(limit) => {
            let limit = limit.as_u64().filter(|limit| *limit > 0);
            Some(limit.ok_or_else(|| value("`failOnErrors` must be an integer of at least 1"))?)
        }
    };
    let list = match take(&mut body, "Operations").map_err(syntax)? {
        Some(Value::Array(list)) => list,
        Some(_) => return Err(syntax("`Operations` is not a list")),
        None => return Err(syntax("the body has no `Operations`")),
    };
    if list.len() > max_operations {
        let detail = format!(
            "`Operations` has {} entries; maxOperations is {max_operations}",
            list.len()
        );
        return Err(Refusal::new(413, detail));
    }
    let entries = list.into_iter().enumerate().map(|(at, operation)| match operation {
        Value::Object(operation) => Ok(entry(operation)),
        _ => Err(syntax(format!("operation {} is not a JSON object", at + 1))),
    });
    let entries: Vec<Entry> = entries.collect::<Result<_, _>>()?;
    // Neither references nor the answer could be told apart.
    let mut seen = HashSet::new();
    for bulk_id in entries.iter().filter_map(|entry| entry.bulk_id.as_deref()) {
        if !seen.insert(bulk_id) {
            return Err(value(format!("the bulkId `{bulk_id}` is given to several operations")));
        }
    }
    Ok((entries, patience))
}

fn entry(mut operation: Map<String, Value>) -> Entry {
    let method = text(&mut operation, "method");
    let bulk_id = bulk_id(&mut operation);
    let task = task(&mut operation, &method, &bulk_id);
    let resource = match &task {
        Ok(Task {
            resource_type,
            place: Place::Resource(id),
            ..
        }) => Some((*resource_type, id.clone())),
        _ => None,
    };
    let shown = |method: String| method.to_uppercase().chars().take(16).collect();
    Entry {
        method: method.ok().flatten().map(shown),
        bulk_id: bulk_id.ok().flatten(),
        task: Some(task),
        needs: Vec::new(),
        aside: None,
        resource,
        outcome: None,
    }
}

type Text = Result<Option<String>, Refusal>;

fn task(operation: &mut Map<String, Value>, method: &Text, bulk_id: &Text) -> Result<Task, Refusal> {
    let name = method.clone()?.ok_or_else(|| syntax("the operation has no `method`"))?;
    let has_bulk_id = bulk_id.clone()?.is_some();
    let known = BulkMethod::ALL
        .into_iter()
        .find(|known| known.name().eq_ignore_ascii_case(&name));
    let method = known.ok_or_else(|| Refusal::new(405, "`method` must be POST, PUT, PATCH or DELETE"))?;
    let path = text(operation, "path")?.ok_or_else(|| syntax("the operation has no `path`"))?;
    let (resource_type, place) = place(&path)?;
    if (method == BulkMethod::Post) != (place == Place::Endpoint) {
        return Err(Refusal::new(
            405,
            "POST goes to /Users or /Groups, and all else to one resource below them",
        ));
    }
    if method == BulkMethod::Post && !has_bulk_id {
        return Err(syntax("a POST needs a `bulkId`"));
    }
    let data = match take(operation, "data").map_err(syntax)? {
        _ if method == BulkMethod::Delete => None,
        None | Some(Value::Null) => return Err(syntax(format!("a {} needs `data`", method.name()))),
        data => data,
    };
    Ok(Task {
        method,
        resource_type,
        place,
        // What does not exist yet has no version.
        version: text(operation, "version")?.filter(|_| method != BulkMethod::Post),
        data,
    })
}

fn place(path: &str) -> Result<(ResourceType, Place), Refusal> {
    let path = path.trim_start_matches('/');
    let (endpoint, id) = path.split_once('/').unwrap_or((path, ""));
    let resource_type = ResourceType::ALL
        .into_iter()
        .find(|known| known.endpoint().trim_start_matches('/') == endpoint)
        .ok_or_else(|| value("`path` must be /Users, /Groups or a resource below them; nothing else goes in bulk"))?;
    if let Some(name) = reference::referred(id) {
        return Ok((resource_type, Place::Created(name.to_owned())));
    }
    let id = id.trim_end_matches('/');
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"/?#\"<>\\^`{|}".contains(&byte);
    if !id.bytes().all(fits) {
        return Err(value("`path` must end in the id of a resource"));
    }
    Ok(match id {
        "" => (resource_type, Place::Endpoint),
        id => (resource_type, Place::Resource(id.to_owned())),
    })
}

fn bulk_id(operation: &mut Map<String, Value>) -> Text {
    let given = text(operation, "bulkId")?;
    let fits = |name: &String| (1..=MAX_BULK_ID_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
    match given {
        Some(name) if !fits(&name) => Err(value(format!(
            "`bulkId` must have 1 to {MAX_BULK_ID_BYTES} bytes, and no control characters"
        ))),
        given => Ok(given),
    }
}

fn text(operation: &mut Map<String, Value>, name: &str) -> Text {
    match take(operation, name).map_err(syntax)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(syntax(format!("`{name}` is not a text"))),
    }
}
