//! The envelope around every RPC answer: HTTP 200 always, `success` is the verdict.
//! It knows the shape, not which call it answers.

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::{Value, json};

use crate::journal::Commit;

/// A call that succeeded.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// What goes into `Result`.
    pub(crate) result: Value,
    /// The object it was about, for the log of calls.
    pub(crate) object: String,
    /// What must be on disk before the answer.
    pub(crate) commit: Commit,
}

impl Done {
    /// A read with this result.
    pub(crate) fn read(result: Value) -> Self {
        Self {
            result,
            ..Self::default()
        }
    }

    /// Names the object it was about.
    pub(crate) fn about(mut self, object: impl Into<String>) -> Self {
        self.object = object.into();
        self
    }
}

/// A call that failed for a reason of its own; the transport is fine.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the caller reads.
    pub(crate) message: String,
    /// A code such as `ChallengeRequired`.
    pub(crate) error_id: Option<String>,
    /// Part of a batch may have been done before it failed.
    pub(crate) commit: Commit,
}

impl Failure {
    /// A failure with the profile's words, about this name or id.
    pub(crate) fn new(text: &str, about: &str) -> Self {
        Self {
            message: text.replace("{}", about),
            error_id: None,
            commit: Commit::default(),
        }
    }
}

/// How a call ended.
pub(crate) type Outcome = Result<Done, Failure>;

#[derive(Serialize)]
struct Envelope<'a> {
    success: bool,
    #[serde(rename = "Result")]
    result: &'a Value,
    #[serde(rename = "Message")]
    message: Option<&'a str>,
    #[serde(rename = "MessageID")]
    message_id: Option<&'a str>,
    #[serde(rename = "Exception")]
    exception: Option<&'a str>,
    #[serde(rename = "ErrorID")]
    error_id: Option<&'a str>,
    #[serde(rename = "ErrorCode")]
    error_code: Option<&'a str>,
    #[serde(rename = "IsSoftError")]
    is_soft_error: bool,
    #[serde(rename = "InnerExceptions")]
    inner_exceptions: Option<&'a str>,
}

/// The answer of a call that succeeded.
pub(crate) fn success(result: &Value) -> Response {
    answer(true, result, None, None)
}

/// The answer of a call that failed.
pub(crate) fn failure(message: &str, error_id: Option<&str>) -> Response {
    answer(false, &Value::Null, Some(message), error_id)
}

fn answer(success: bool, result: &Value, message: Option<&str>, error_id: Option<&str>) -> Response {
    json_response(&Envelope {
        success,
        result,
        message,
        message_id: None,
        exception: None,
        error_id,
        error_code: None,
        is_soft_error: false,
        inner_exceptions: None,
    })
}

/// HTTP 200 with this as JSON.
pub(crate) fn json_response(value: &impl Serialize) -> Response {
    let text = serde_json::to_vec(value).expect("answers hold only string keys");
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(
        CONTENT_TYPE,
        http::HeaderValue::from_static("application/json; charset=utf-8"),
    );
    response
}

/// Rows in the form that reports, queries and member lists share.
pub(crate) fn rows(entity: &str, columns: &[String], full_count: Option<usize>, rows: Vec<(String, Value)>) -> Value {
    let count = rows.len();
    let results: Vec<_> = rows
        .into_iter()
        .map(|(key, row)| json!({ "Entities": [{ "Type": entity, "Key": key, "IsForeignKey": false }], "Row": row }))
        .collect();
    let columns: Vec<_> = columns
        .iter()
        .map(|name| json!({ "Name": name, "Title": name, "IsHidden": false }))
        .collect();
    let mut answer = json!({
        "IsAggregate": false,
        "Count": count,
        "Columns": columns,
        "Results": results,
        "ReturnID": "",
    });
    if let Some(full_count) = full_count {
        answer["FullCount"] = json!(full_count);
    }
    answer
}
