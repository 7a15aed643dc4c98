//! Lists of the endpoint, page by page (RFC 7644 §3.4.2.4). A list that is not whole is an error, never a shorter list.

use http::Method;
use serde_json::Value;

use super::{
    super::failure::{Failure, Trouble},
    GET_GROUPS, GET_USERS, Scim,
};

/// More resources are no list, but one that has no end.
const MOST: usize = 10_000_000;

/// A list under way.
pub(crate) struct Pages<'a> {
    scim: &'a Scim,
    method: &'static str,
    path: &'static str,
    filter: Option<String>,
    got: usize,
    ended: bool,
}

impl Scim {
    /// Begins a list of all resources of `/Users` or `/Groups`; nothing is called before the first page is asked for.
    pub(crate) fn all(&self, kind: &'static str) -> Pages<'_> {
        self.list(kind, None)
    }

    pub(super) fn list(&self, kind: &'static str, filter: Option<String>) -> Pages<'_> {
        let (method, path) = match kind {
            "/Users" => (GET_USERS, "Users"),
            _ => (GET_GROUPS, "Groups"),
        };
        Pages {
            scim: self,
            method,
            path,
            filter,
            got: 0,
            ended: false,
        }
    }
}

impl Pages<'_> {
    /// The next resources; `None` after the last. After a failure the same page may be asked for again.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Value>>, Failure> {
        if self.ended {
            return Ok(None);
        }
        let (start, count) = ((self.got + 1).to_string(), self.scim.page_size.to_string());
        let mut query = vec![("startIndex", start.as_str()), ("count", count.as_str())];
        if let Some(filter) = &self.filter {
            query.push(("filter", filter));
        }
        if self.path == "Groups" {
            query.push(("excludedAttributes", "members"));
        }
        let answer = self
            .scim
            .call(self.method, Method::GET, &[self.path], &query, None)
            .await?;
        let incomplete = || Failure::unavailable(self.method, Trouble::Incomplete);
        let total = member(&answer, "totalResults")
            .and_then(Value::as_u64)
            .ok_or_else(incomplete)?;
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        let page = match member(&answer, "Resources") {
            Some(Value::Array(page)) => page.clone(),
            // None at all may be left out (RFC 7644 §3.4.2).
            None | Some(Value::Null) => Vec::new(),
            Some(_) => return Err(incomplete()),
        };
        if page.is_empty() && self.got < total {
            return Err(incomplete());
        }
        self.got += page.len();
        if self.got > MOST {
            return Err(Failure::unavailable(self.method, Trouble::TooLong));
        }
        self.ended = self.got >= total;
        Ok((!page.is_empty()).then_some(page))
    }

    /// All that are left.
    pub(super) async fn rest(mut self) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        while let Some(page) = self.next().await? {
            all.extend(page);
        }
        Ok(all)
    }
}

/// A member of an answer, whose names some servers capitalise.
pub(super) fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let object = object.as_object()?;
    object.get(name).or_else(|| {
        let found = object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    })
}
