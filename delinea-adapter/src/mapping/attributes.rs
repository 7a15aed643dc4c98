//! The attributes of a user that are known beforehand: RFC 7643 §4.1 and the enterprise extension (§4.3). A path that names
//! another one of these schemas is a slip of the pen; what a tenant's own schemas have is not known here.

use super::path::Path;

/// What an attribute is made of.
#[derive(Clone, Copy)]
enum Shape {
    /// One value.
    Simple,
    /// These parts.
    Complex(&'static [&'static str]),
    /// Several values, each of these parts.
    Several(&'static [&'static str]),
    /// It cannot be mapped, for this reason.
    Never(&'static str),
}

const VALUE: Shape = Shape::Several(&["value", "display", "type", "primary"]);

const CORE: &[(&str, Shape)] = &[
    ("id", Shape::Simple),
    ("externalId", Shape::Simple),
    ("userName", Shape::Simple),
    (
        "name",
        Shape::Complex(&[
            "formatted",
            "familyName",
            "givenName",
            "middleName",
            "honorificPrefix",
            "honorificSuffix",
        ]),
    ),
    ("displayName", Shape::Simple),
    ("nickName", Shape::Simple),
    ("profileUrl", Shape::Simple),
    ("title", Shape::Simple),
    ("userType", Shape::Simple),
    ("preferredLanguage", Shape::Simple),
    ("locale", Shape::Simple),
    ("timezone", Shape::Simple),
    ("active", Shape::Never("it is the account's state, by rules of its own")),
    ("emails", VALUE),
    ("phoneNumbers", VALUE),
    ("ims", VALUE),
    ("photos", VALUE),
    ("entitlements", VALUE),
    ("roles", VALUE),
    ("x509Certificates", VALUE),
    (
        "addresses",
        Shape::Several(&[
            "formatted",
            "streetAddress",
            "locality",
            "region",
            "postalCode",
            "country",
            "type",
            "primary",
        ]),
    ),
    (
        "groups",
        Shape::Never("a change of it is not delivered with the user but with the group"),
    ),
    ("schemas", Shape::Never("it is about the document, not the user")),
    ("meta", Shape::Never("it is about the document, not the user")),
    ("password", Shape::Never("it is never kept")),
];

const ENTERPRISE: &[(&str, Shape)] = &[
    ("employeeNumber", Shape::Simple),
    ("costCenter", Shape::Simple),
    ("organization", Shape::Simple),
    ("division", Shape::Simple),
    ("department", Shape::Simple),
    ("manager", Shape::Complex(&["displayName"])),
];

pub(super) const CORE_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(super) const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Whether the path can lead to a value.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let table = match &path.urn {
        None => CORE,
        Some(urn) if urn.eq_ignore_ascii_case(ENTERPRISE_URN) => ENTERPRISE,
        Some(_) => return Ok(()),
    };
    let name = &path.attribute;
    let found = table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let Some((known, shape)) = found else {
        return Err(format!("there is no attribute `{name}`"));
    };
    let part = |parts: &[&str], part: &str| {
        if parts.iter().any(|known| known.eq_ignore_ascii_case(part)) {
            return Ok(());
        }
        let hint = if *known == "manager" {
            "; the manager's account is `$managerAccount`"
        } else {
            ""
        };
        Err(format!("`{known}` has no part `{part}` that can be mapped{hint}"))
    };
    let parts = match (shape, &path.filter) {
        (Shape::Never(why), _) => return Err(format!("`{known}` cannot be mapped: {why}")),
        (Shape::Simple, None) if path.part.is_none() => return Ok(()),
        (Shape::Simple, _) => return Err(format!("`{known}` is a single value, without parts")),
        (Shape::Complex(_), Some(_)) => {
            return Err(format!("`{known}` is a single value, of which none can be chosen"));
        }
        (Shape::Complex(parts), None) => *parts,
        (Shape::Several(parts), None) => *parts,
        (Shape::Several(parts), Some(filter)) => {
            part(parts, &filter.part)?;
            *parts
        }
    };
    match &path.part {
        Some(given) => part(parts, given),
        None if parts.contains(&"value") => Ok(()),
        None => Err(format!("`{known}` has parts; name one, such as `{known}.{}`", parts[0])),
    }
}

#[cfg(test)]
mod tests;
