//! PUT (RFC 7644 §3.5.1): what a new body makes of a resource that is there.

use serde_json::{Map, Value};

use crate::{
    canonical::{finish, holder},
    error::Error,
    immutable,
    schema::{Attribute, Mutability, ResourceSchema},
};

/// The resource that a body in canonical form makes of the present one. What the body leaves out is cleared, but for what a
/// client cannot or need not say again: read-only and immutable attributes, and those that it never sees. An immutable
/// attribute with another value is refused.
///
/// ```
/// use scim::{Schemas, canonicalize, replace};
/// use serde_json::json;
///
/// let schemas = Schemas::builtin();
/// let present = json!({"schemas": [scim::URN_USER], "userName": "odile", "title": "Technician"});
/// let body = canonicalize(schemas.user(), json!({"userName": "odile", "nickName": "Od"}))?;
/// let user = replace(schemas.user(), &present, body)?;
/// assert_eq!(user, json!({"schemas": [scim::URN_USER], "userName": "odile", "nickName": "Od"}));
/// # Ok::<(), scim::Error>(())
/// ```
pub fn replace(schema: &ResourceSchema, present: &Value, body: Value) -> Result<Value, Error> {
    let (Some(old), Value::Object(mut resource)) = (present.as_object(), body) else {
        return Ok(Value::Null);
    };
    keep(&schema.core.attributes, Some(old), &mut resource);
    for extension in &schema.extensions {
        let old = old.get(&extension.id).and_then(Value::as_object);
        if old.is_some() {
            keep(&extension.attributes, old, holder(&mut resource, Some(extension)));
        }
    }
    // An extension that is no longer declared is not the client's to clear: it may be declared again.
    for (name, value) in old {
        let foreign = name.contains(':') && !schema.extensions.iter().any(|extension| extension.id == *name);
        if foreign {
            resource.insert(name.clone(), value.clone());
        }
    }
    let replaced = finish(schema, resource, Some(present))?;
    immutable::check(schema, present, &replaced)?;
    Ok(replaced)
}

fn keep(attributes: &[Attribute], old: Option<&Map<String, Value>>, new: &mut Map<String, Value>) {
    let Some(old) = old else { return };
    for attribute in attributes {
        let Some(value) = old.get(&attribute.name) else {
            continue;
        };
        match (new.get_mut(&attribute.name), value) {
            (None, value) if stays_unsaid(attribute) => drop(new.insert(attribute.name.clone(), value.clone())),
            (Some(Value::Object(new)), Value::Object(old)) => keep(&attribute.sub_attributes, Some(old), new),
            _ => {}
        }
    }
}

fn stays_unsaid(attribute: &Attribute) -> bool {
    attribute.is_hidden() || matches!(attribute.mutability, Mutability::ReadOnly | Mutability::Immutable)
}
