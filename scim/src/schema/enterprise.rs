//! The enterprise extension of User (RFC 7643 §4.3). `manager.displayName` is missing on purpose: it would be another
//! resource's attribute, which no version of this one tells of.

use super::{Attribute, AttributeType, Quirk, Schema, URN_ENTERPRISE_USER};

pub(super) fn schema() -> Schema {
    let manager = vec![
        Attribute::text("value", "The manager's id.").case_exact(),
        Attribute::new("$ref", AttributeType::Reference, "The manager's URL.").references(&["User"]),
    ];
    Schema {
        id: URN_ENTERPRISE_USER.to_owned(),
        name: "EnterpriseUser".to_owned(),
        description: "What an organisation knows of a user.".to_owned(),
        attributes: vec![
            Attribute::text("employeeNumber", "The number that the organisation gave."),
            Attribute::text("costCenter", "The cost centre."),
            Attribute::text("organization", "The organisation."),
            Attribute::text("division", "The division."),
            Attribute::text("department", "The department."),
            Attribute::complex("manager", "The user's manager.", manager).quirk(Quirk::Addressed),
        ],
    }
}
