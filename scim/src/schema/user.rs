//! The core User schema (RFC 7643 §4.1). `password` is missing on purpose: it is accepted and never kept, so it is not
//! published either.

use super::{Attribute, AttributeType, Quirk, Schema, URN_USER};

pub(super) fn schema() -> Schema {
    Schema {
        id: URN_USER.to_owned(),
        name: "User".to_owned(),
        description: "A person's account.".to_owned(),
        attributes: attributes(),
    }
}

fn attributes() -> Vec<Attribute> {
    use AttributeType::{Binary, Boolean, Reference};
    vec![
        Attribute::text("userName", "The login name; unique within the tenant.")
            .required()
            .unique(),
        Attribute::complex(
            "name",
            "The components of the person's name.",
            vec![
                Attribute::text("formatted", "The whole name."),
                Attribute::text("familyName", "The last name."),
                Attribute::text("givenName", "The first name."),
                Attribute::text("middleName", "The middle name or names."),
                Attribute::text("honorificPrefix", "A title before the name."),
                Attribute::text("honorificSuffix", "A suffix after the name."),
            ],
        ),
        Attribute::text("displayName", "The name shown to others."),
        Attribute::text("nickName", "The casual name."),
        Attribute::new("profileUrl", Reference, "The address of the person's profile page.").references(&["external"]),
        Attribute::text("title", "The job title."),
        Attribute::text("userType", "The relation to the organisation."),
        Attribute::text("preferredLanguage", "The preferred language, as in Accept-Language."),
        Attribute::text("locale", "The language tag that governs currency, dates and numbers."),
        Attribute::text("timezone", "The IANA time zone name."),
        Attribute::new("active", Boolean, "Whether the account may be used."),
        values(
            "emails",
            "E-mail addresses.",
            AttributeType::String,
            &["work", "home", "other"],
        ),
        values(
            "phoneNumbers",
            "Telephone numbers.",
            AttributeType::String,
            &["work", "home", "mobile", "fax", "pager", "other"],
        ),
        values(
            "ims",
            "Instant messaging addresses.",
            AttributeType::String,
            &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"],
        ),
        values("photos", "Pictures of the person.", Reference, &["photo", "thumbnail"]),
        Attribute::complex(
            "addresses",
            "Postal addresses.",
            vec![
                Attribute::text("formatted", "The whole address, as for a label."),
                Attribute::text("streetAddress", "Street and number."),
                Attribute::text("locality", "The city."),
                Attribute::text("region", "The state or region."),
                Attribute::text("postalCode", "The postal code."),
                Attribute::text("country", "The country."),
                Attribute::text("type", "What the address is for.").canonical(&["work", "home", "other"]),
                primary(),
            ],
        )
        .multi_valued(),
        Attribute::complex(
            "groups",
            "The groups that the user is a direct member of.",
            vec![
                Attribute::text("value", "The group's id.").case_exact(),
                Attribute::new("$ref", Reference, "The group's URL.").references(&["Group"]),
                Attribute::text("display", "The group's name."),
                Attribute::text("type", "How the membership came about.").canonical(&["direct"]),
            ],
        )
        .multi_valued()
        .read_only()
        .quirk(Quirk::Addressed),
        values("entitlements", "Things that the user has.", AttributeType::String, &[]),
        values("roles", "The user's roles.", AttributeType::String, &[]).quirk(Quirk::Roles),
        values("x509Certificates", "Certificates, DER in base64.", Binary, &[]),
    ]
}

/// A multi-valued attribute in its default form (RFC 7643 §2.4).
fn values(name: &str, description: &str, value: AttributeType, types: &[&str]) -> Attribute {
    let mut significant = Attribute::new("value", value, "The value itself.");
    if value == AttributeType::Reference {
        significant = significant.references(&["external"]);
    }
    let sub_attributes = vec![
        significant,
        Attribute::text("display", "A name for people."),
        Attribute::text("type", "What the value is for.").canonical(types),
        primary(),
    ];
    Attribute::complex(name, description, sub_attributes).multi_valued()
}

fn primary() -> Attribute {
    Attribute::new(
        "primary",
        AttributeType::Boolean,
        "Whether this is the preferred one; at most one is.",
    )
}
