//! The schema table: what attributes a resource has and how each behaves (RFC 7643 §2, §7).
//!
//! One table drives everything: canonical form, filters, patches and projection read it, and the documents served at
//! `/Schemas` are made of it, so what is published is exactly what works.

mod attribute;
mod declared;
mod delivery;
mod documents;
mod enterprise;
mod group;
mod problem;
mod read;
mod resolve;
mod user;
mod words;

pub(crate) use attribute::Quirk;
pub use attribute::{Attribute, AttributeType, Mutability, Returned, Uniqueness};
pub use declared::{Declaration, MAX_DECLARATION_BYTES, MAX_EXTENSIONS};
pub use problem::{DeclarationError, DeclarationProblem};
pub use read::{MAX_ATTRIBUTES, MAX_CANONICAL_VALUES, MAX_DESCRIPTION_CHARS, MAX_NAME_CHARS, MAX_SUB_ATTRIBUTES};
pub use resolve::Target;

use crate::path::AttrPath;

/// The core User schema.
pub const URN_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The core Group schema.
pub const URN_GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The enterprise extension of User.
pub const URN_ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// How far a resource has got on its way to the Delinea Platform; read-only, of both types.
pub const URN_DELIVERY: &str = "urn:ietf:params:scim:schemas:extension:delinea:2.0:Delivery";
/// A list of results.
pub const URN_LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
/// A PATCH request.
pub const URN_PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// A bulk request.
pub const URN_BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// The answer to one.
pub const URN_BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// An error.
pub const URN_ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
/// A search by POST.
pub const URN_SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
/// A schema document.
pub const URN_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
/// A resource type document.
pub const URN_RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// The service provider's configuration.
pub const URN_SERVICE_PROVIDER_CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

/// The two resource types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceType {
    /// A user.
    User,
    /// A group.
    Group,
}

impl ResourceType {
    /// Both.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// The name, as in `meta.resourceType`.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// The path below the base URL.
    pub fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }
}

/// A schema: a set of attributes under a URN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The URN.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// The attributes.
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// The attribute of that name, in any letter case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        find(&self.attributes, name)
    }
}

/// Everything that a resource of one type may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceSchema {
    /// The type.
    pub resource_type: ResourceType,
    /// The core schema.
    pub core: Schema,
    /// The extensions.
    pub extensions: Vec<Schema>,
    /// The URNs of those that every resource must have.
    pub required_extensions: Vec<String>,
    /// The attributes that every resource has (RFC 7643 §3.1), and `schemas`.
    pub common: Vec<Attribute>,
}

impl ResourceSchema {
    /// The core or common attribute of that name, in any letter case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.core.attribute(name).or_else(|| find(&self.common, name))
    }

    /// Whether every resource must have this extension.
    pub fn requires(&self, extension: &Schema) -> bool {
        self.required_extensions.contains(&extension.id)
    }

    /// Whether a path names the core attribute of that name, or a part of it: an extension may have one of the same name.
    pub fn names_core(&self, path: &AttrPath, name: &str) -> bool {
        matches!(
            self.resolve(path),
            Some(Target::Attribute { extension: None, attribute, .. }) if attribute.name == name
        )
    }

    /// What a path names; `None` when the table has no such thing.
    pub fn resolve<'s>(&'s self, path: &AttrPath) -> Option<Target<'s>> {
        resolve::resolve(self, path)
    }
}

/// The schema table of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schemas {
    user: ResourceSchema,
    group: ResourceSchema,
}

impl Schemas {
    /// User with the enterprise extension, and Group; both with how far they have got.
    pub fn builtin() -> Self {
        let table = |resource_type, core, extensions| ResourceSchema {
            resource_type,
            core,
            extensions,
            required_extensions: Vec::new(),
            common: common(),
        };
        Self {
            user: table(
                ResourceType::User,
                user::schema(),
                vec![enterprise::schema(), delivery::schema()],
            ),
            group: table(ResourceType::Group, group::schema(), vec![delivery::schema()]),
        }
    }

    /// The table of users.
    pub fn user(&self) -> &ResourceSchema {
        &self.user
    }

    /// The table of groups.
    pub fn group(&self) -> &ResourceSchema {
        &self.group
    }

    /// The table of a resource type.
    pub fn resource(&self, resource_type: ResourceType) -> &ResourceSchema {
        match resource_type {
            ResourceType::User => &self.user,
            ResourceType::Group => &self.group,
        }
    }
}

/// Attributes common to all resources (RFC 7643 §3.1).
fn common() -> Vec<Attribute> {
    use AttributeType::{DateTime, Reference};
    vec![
        Attribute::new("schemas", Reference, "URNs of the schemas that have values here.")
            .multi_valued()
            .required()
            .read_only()
            .references(&["uri"])
            .returned(Returned::Always),
        Attribute::text("id", "The service's own identifier of the resource.")
            .case_exact()
            .read_only()
            .unique()
            .returned(Returned::Always),
        Attribute::text("externalId", "The client's identifier of the resource.").case_exact(),
        Attribute::complex(
            "meta",
            "What the service knows of the resource.",
            vec![
                Attribute::text("resourceType", "The resource's type.").case_exact(),
                Attribute::new("created", DateTime, "When the resource came into being."),
                Attribute::new("lastModified", DateTime, "When the resource last changed."),
                Attribute::new("location", Reference, "The resource's URL.").references(&["uri"]),
                Attribute::text("version", "The entity tag of the resource's present version.").case_exact(),
            ],
        )
        .read_only()
        .quirk(Quirk::Addressed),
    ]
}

fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}
