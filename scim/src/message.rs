//! The messages around resources: lists, errors and bulk answers (RFC 7644 §3.4.2, §3.12, §3.7).

use serde_json::{Value, json};

use crate::schema::{URN_BULK_RESPONSE, URN_ERROR, URN_LIST_RESPONSE};

/// A list of results. `Resources` is there also when it is empty: one client's parser wants it.
pub fn list_response(total: u64, start_index: u64, items_per_page: u64, resources: Vec<Value>) -> Value {
    let mut list = json!({
        "schemas": [URN_LIST_RESPONSE],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": items_per_page,
    });
    list["Resources"] = Value::Array(resources);
    list
}

/// The body of an error answer; the status is a text in it.
///
/// ```
/// let body = scim::error_body(409, Some("uniqueness"), "another User has this userName");
/// assert_eq!(body["status"], "409");
/// ```
pub fn error_body(status: u16, scim_type: Option<&str>, detail: &str) -> Value {
    let mut body = json!({"schemas": [URN_ERROR], "status": status.to_string(), "detail": detail});
    if let Some(scim_type) = scim_type {
        body["scimType"] = Value::from(scim_type);
    }
    body
}

/// The answer to a bulk request.
pub fn bulk_response(operations: Vec<Value>) -> Value {
    let mut response = json!({"schemas": [URN_BULK_RESPONSE]});
    response["Operations"] = Value::Array(operations);
    response
}
