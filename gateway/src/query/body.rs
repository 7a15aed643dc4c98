//! The body of a search (RFC 7644 §3.4.3), brought into the parameters that a URL would have. Names are known in any
//! letter case, `null` is as good as absent, and what is not known is ignored, `schemas` included.

use serde_json::{Map, Value};

use super::Parameters;
use crate::error::Problem;

pub(super) fn parameters(body: Value) -> Result<Parameters, Problem> {
    let Value::Object(members) = body else {
        return Err(Problem::invalid_syntax("The body of a search must be a JSON object."));
    };
    let mut given = Parameters::default();
    for (name, value) in present(members) {
        let Some((name, slot)) = given.slot(&name) else {
            continue;
        };
        let text = text(name, value)?;
        if slot.replace(text).is_some() {
            return Err(Problem::invalid_syntax(format!(
                "The body has {name} more than once, in different letter case."
            )));
        }
    }
    Ok(given)
}

fn present(members: Map<String, Value>) -> impl Iterator<Item = (String, Value)> {
    members.into_iter().filter(|(_, value)| !value.is_null())
}

/// A member's value as the text of a parameter.
fn text(name: &str, value: Value) -> Result<String, Problem> {
    let wrong = |what: &str| Err(Problem::invalid_value(format!("{name} must be {what}.")));
    match (name, value) {
        // A text with commas, as in a URL, is understood too.
        (_, Value::String(text)) => Ok(text),
        ("startIndex" | "count", Value::Number(number)) => Ok(number.to_string()),
        ("startIndex" | "count", _) => wrong("an integer"),
        ("attributes" | "excludedAttributes", Value::Array(names)) => {
            let names = names.into_iter().map(|name| match name {
                Value::String(name) => Some(name),
                _ => None,
            });
            match names.collect::<Option<Vec<_>>>() {
                Some(names) => Ok(names.join(",")),
                None => wrong("a list of texts"),
            }
        }
        ("attributes" | "excludedAttributes", _) => wrong("a list of texts"),
        _ => wrong("a text"),
    }
}

#[cfg(test)]
mod tests {
    use scim::Projection;
    use serde_json::json;

    use crate::query::Query;

    #[test]
    fn a_body_asks_what_a_url_asks() {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "Attributes": ["displayName", "emails[type eq \"work\"].value"],
            "excludedAttributes": null,
            "filter": "displayName sw \"smith\"",
            "startIndex": 11,
            "COUNT": "5",
            "sortBy": "displayName",
            "sortOrder": "descending",
            "cursor": "",
            "unknown": {"a": 1},
        });
        let query = Query::of_search(body).unwrap();
        assert_eq!(query.filter.as_deref(), Some("displayName sw \"smith\""));
        assert_eq!(
            (query.start_index, query.count, query.names_attributes),
            (11, Some(5), true)
        );
        assert_eq!(
            (query.sort_by.as_deref(), query.descending),
            (Some("displayName"), true)
        );
        assert_eq!(query.cursor.as_deref(), Some(""));
        let projection = Projection::parse(Some("displayName,emails[type eq \"work\"].value"), None).unwrap();
        assert_eq!(query.projection, projection);

        let all = Query::of_search(json!({})).unwrap();
        assert_eq!(
            (all.filter, all.start_index, all.count, all.names_attributes),
            (None, 1, None, false)
        );
        let brief = Query::of_search(json!({"excludedAttributes": ["members", "name"], "count": -1})).unwrap();
        assert_eq!(brief.projection, Projection::parse(None, Some("members,name")).unwrap());
        assert_eq!(brief.count, Some(0));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (body, scim_type, part) in [
            (json!([]), "invalidSyntax", "object"),
            (json!("filter"), "invalidSyntax", "object"),
            (json!({"filter": 7}), "invalidValue", "filter"),
            (json!({"filter": " "}), "invalidFilter", "empty"),
            (json!({"count": 1.5}), "invalidValue", "count"),
            (json!({"count": true}), "invalidValue", "count"),
            (json!({"cursor": 7}), "invalidValue", "cursor"),
            (json!({"cursor": "", "count": 0}), "invalidCount", "count"),
            (json!({"sortBy": ["userName"]}), "invalidValue", "sortBy"),
            (
                json!({"sortBy": "userName", "sortOrder": "up"}),
                "invalidValue",
                "sortOrder",
            ),
            (json!({"startIndex": "first"}), "invalidValue", "startIndex"),
            (json!({"attributes": {"a": 1}}), "invalidValue", "attributes"),
            (
                json!({"excludedAttributes": ["a", 1]}),
                "invalidValue",
                "excludedAttributes",
            ),
            (json!({"filter": "a pr", "FILTER": "b pr"}), "invalidSyntax", "filter"),
        ] {
            let problem = Query::of_search(body.clone()).unwrap_err();
            assert_eq!(problem.scim_type, Some(scim_type), "{body}");
            assert!(problem.detail.contains(part), "{body}: {}", problem.detail);
        }
    }
}
