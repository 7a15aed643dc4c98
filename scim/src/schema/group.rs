//! The core Group schema (RFC 7643 §4.2).

use super::{Attribute, AttributeType, Mutability, Quirk, Schema, URN_GROUP};

pub(super) fn schema() -> Schema {
    let members = vec![
        Attribute::text("value", "The member's id.")
            .case_exact()
            .mutability(Mutability::Immutable),
        Attribute::new("$ref", AttributeType::Reference, "The member's URL.")
            .references(&["User", "Group"])
            .mutability(Mutability::Immutable),
        Attribute::text("type", "What the member is.")
            .canonical(&["User", "Group"])
            .mutability(Mutability::Immutable),
    ];
    Schema {
        id: URN_GROUP.to_owned(),
        name: "Group".to_owned(),
        description: "A group of users.".to_owned(),
        attributes: vec![
            Attribute::text("displayName", "The group's name; unique within the tenant.")
                .required()
                .unique(),
            Attribute::complex("members", "The group's members.", members)
                .multi_valued()
                .quirk(Quirk::Members),
        ],
    }
}
