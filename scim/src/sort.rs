//! Sorting (RFC 7644 §3.4.2.3): what resources are sorted by, and the place of each in the order.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    error::{Error, ErrorKind},
    name::folded,
    path::AttrPath,
    schema::{Attribute, AttributeType, ResourceSchema, Target, URN_DELIVERY},
};

/// How much of a text decides its place, in characters after case folding: what many resources are sorted by must fit
/// into memory at once.
const TEXT_CHARS: usize = 256;

/// An attribute that resources are sorted by.
///
/// ```
/// use scim::{Schemas, SortBy};
/// use serde_json::json;
///
/// let schemas = Schemas::builtin();
/// let sort = SortBy::parse(schemas.user(), "name.familyName")?;
/// let mut users = [json!({"id": "1"}), json!({"name": {"familyName": "roy"}}), json!({"name": {"familyName": "Adler"}})];
/// users.sort_by_cached_key(|user| sort.key(user));
/// assert_eq!(users[0]["name"]["familyName"], "Adler");
/// assert_eq!(users[2], json!({"id": "1"}));
/// # Ok::<(), scim::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SortBy<'s> {
    extension: Option<&'s str>,
    attribute: &'s Attribute,
    /// The part that is compared, of a complex attribute.
    part: Option<&'s Attribute>,
}

impl<'s> SortBy<'s> {
    /// Reads a `sortBy`: an attribute, or a part of a complex one. One that is named as a whole is sorted by its part
    /// `value`, if it has one.
    pub fn parse(schema: &'s ResourceSchema, text: &str) -> Result<Self, Error> {
        let no = |detail: String| Err(Error::new(ErrorKind::InvalidPath, detail));
        let path = AttrPath::parse(text.trim())?;
        let Some(Target::Attribute {
            extension,
            attribute,
            sub,
        }) = schema.resolve(&path)
        else {
            return no(format!("sortBy: there is no attribute `{path}`"));
        };
        if extension.is_some_and(|extension| extension.id == URN_DELIVERY) {
            return no(format!(
                "sortBy: `{path}` is made for each answer, and cannot be sorted by"
            ));
        }
        let part = sub.or_else(|| attribute.sub_attribute("value"));
        let leaf = part.unwrap_or(attribute);
        if leaf.kind == AttributeType::Complex {
            return no(format!("sortBy: `{path}` is complex; name one of its parts"));
        }
        if attribute.is_hidden() || leaf.is_hidden() {
            return no(format!("sortBy: `{path}` is never shown, and so cannot be sorted by"));
        }
        Ok(Self {
            extension: extension.map(|schema| schema.id.as_str()),
            attribute,
            part,
        })
    }

    /// Whether it is the core attribute of that name; an extension may have one of the same name.
    pub fn is_core(&self, name: &str) -> bool {
        self.extension.is_none() && self.attribute.name == name
    }

    /// The attribute as the schema table has it.
    pub fn attribute(&self) -> &'s Attribute {
        self.attribute
    }

    /// The place of a resource in canonical form. Of several values the primary one decides, or else the first.
    pub fn key(&self, resource: &Value) -> SortKey {
        let holder = self.extension.map_or(Some(resource), |urn| resource.get(urn));
        let value = holder.and_then(|holder| holder.get(&self.attribute.name));
        let value = match value {
            Some(Value::Array(values)) => {
                let primary = values
                    .iter()
                    .find(|value| value.get("primary") == Some(&Value::Bool(true)));
                primary.or(values.first())
            }
            other => other,
        };
        let leaf = self.part.unwrap_or(self.attribute);
        let value = match self.part {
            Some(part) => value.and_then(|value| value.get(&part.name)),
            None => value,
        };
        SortKey(place(leaf, value))
    }
}

/// A resource's place in an ascending order. Equal keys are for the caller to tell apart, by id for instance.
///
/// Keys are totally ordered: false before true, numbers by size, dates as instants, texts by their first 256 characters and
/// without regard to case unless the attribute is `caseExact`. No value comes last, and so first in the reverse order, as
/// RFC 7644 §3.4.2.3 has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey(Place);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Boolean(bool),
    Number(Quantity),
    Instant(Timestamp),
    Text(Box<str>),
    Absent,
}

fn place(attribute: &Attribute, value: Option<&Value>) -> Place {
    match value {
        Some(Value::Bool(truth)) => Place::Boolean(*truth),
        Some(Value::Number(number)) => Place::Number(Quantity::of(number)),
        Some(Value::String(text)) => {
            let instant = (attribute.kind == AttributeType::DateTime).then(|| text.parse().ok());
            if let Some(instant) = instant.flatten() {
                return Place::Instant(instant);
            }
            // Folding may make three characters of one, and never fewer of more.
            let text = first(text);
            Place::Text(if attribute.case_exact {
                text.into()
            } else {
                first(&folded(text)).into()
            })
        }
        _ => Place::Absent,
    }
}

fn first(text: &str) -> &str {
    match text.char_indices().nth(TEXT_CHARS) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// A number, exactly: as a double, and where doubles of large integers are alike, as the integer.
#[derive(Debug, Clone, Copy)]
struct Quantity {
    nearest: f64,
    exact: i128,
}

impl Quantity {
    fn of(number: &serde_json::Number) -> Self {
        let integer = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
        // Minus zero becomes zero.
        let nearest = number.as_f64().unwrap_or(f64::MAX) + 0.0;
        Self {
            nearest,
            exact: integer.unwrap_or(nearest as i128),
        }
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nearest
            .total_cmp(&other.nearest)
            .then(self.exact.cmp(&other.exact))
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Quantity {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Schemas;

    /// The values in ascending order must be so, each before the next.
    fn ascending(sort_by: &str, resources: &[Value]) {
        let schemas = Schemas::builtin();
        let sort = SortBy::parse(schemas.user(), sort_by).unwrap();
        for pair in resources.windows(2) {
            assert!(sort.key(&pair[0]) < sort.key(&pair[1]), "{sort_by}: {pair:?}");
        }
    }

    #[test]
    fn values_have_the_order_of_their_type() {
        ascending(
            "userName",
            &[
                json!({"userName": "Adler"}),
                json!({"userName": "bo"}),
                json!({"userName": "Carl"}),
                json!({}),
            ],
        );
        ascending(
            "externalId",
            &[
                json!({"externalId": "B"}),
                json!({"externalId": "a"}),
                json!({"id": "x"}),
            ],
        );
        ascending(
            "ACTIVE",
            &[
                json!({"active": false}),
                json!({"active": true}),
                json!({"active": null}),
            ],
        );
        ascending(
            "meta.created",
            &[
                json!({"meta": {"created": "2026-11-23T23:00:00+02:00"}}),
                json!({"meta": {"created": "2026-11-23T22:00:00Z"}}),
                json!({"meta": {}}),
            ],
        );
        ascending(
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
            &[
                json!({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "a"}}}),
                json!({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "b"}}}),
                json!({"manager": {"value": "a"}}),
            ],
        );
    }

    #[test]
    fn the_primary_value_decides_or_else_the_first() {
        let emails = |values: &[(&str, bool)]| {
            let values = values
                .iter()
                .map(|(value, primary)| json!({"value": value, "primary": primary}));
            json!({ "emails": values.collect::<Vec<_>>() })
        };
        for sort_by in ["emails", "emails.value"] {
            ascending(
                sort_by,
                &[
                    emails(&[("z", false), ("a", true)]),
                    emails(&[("b", false), ("a", false)]),
                    emails(&[("a", false), ("c", true), ("d", true)]),
                    emails(&[]),
                ],
            );
        }
    }

    #[test]
    fn numbers_are_compared_exactly() {
        let numbers = [
            json!(-1.5),
            json!(-1),
            json!(0.5),
            json!(1),
            json!(i64::MAX - 1),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(1e300),
        ];
        let quantity = |value: &Value| Quantity::of(value.as_number().unwrap());
        assert!(numbers.windows(2).all(|pair| quantity(&pair[0]) < quantity(&pair[1])));
        assert_eq!(quantity(&json!(0.0)), quantity(&json!(-0.0)));
        assert_eq!(quantity(&json!(7)), quantity(&json!(7.0)));
    }

    #[test]
    fn what_has_no_order_is_refused_by_name() {
        let schemas = Schemas::builtin();
        for (text, part) in [
            ("", "position 1"),
            ("user Name", "position"),
            ("nothing", "`nothing`"),
            ("name", "complex"),
            ("name.nothing", "`name.nothing`"),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                "no attribute",
            ),
            ("password", "`password`"),
        ] {
            let error = SortBy::parse(schemas.user(), text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidPath, "{text}");
            assert!(error.detail.contains(part), "{text}: {}", error.detail);
        }
    }
}
