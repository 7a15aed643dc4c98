//! The gRPC contract, and the types made of it.
//!
//! The resource messages ([`resource::v1::User`], [`resource::v1::Group`]) are the SCIM JSON too: `build.rs` gives them
//! serde by walking the descriptors, so there is one definition of a user and no conversion code. This crate knows
//! messages, their JSON form, their bounds and the reasons of errors; it must not know any service or any rule.

pub mod error;
pub mod json;
pub mod origin;
pub mod time;

/// Users and groups: the gRPC types that are the SCIM JSON too.
pub mod resource {
    /// Version 1 of the resource messages.
    #[allow(missing_docs, clippy::all, unused_qualifications, reason = "generated")]
    pub mod v1 {
        tonic::include_proto!("delinea.scim.resource.v1");
    }
}

/// The services of identity-service: users, groups, changes, deliveries, the audit trail, schemas.
pub mod identity {
    /// Version 1 of the identity services.
    #[allow(missing_docs, clippy::all, unused_qualifications, reason = "generated")]
    pub mod v1 {
        tonic::include_proto!("delinea.scim.identity.v1");
    }
}

/// The service of delinea-adapter.
pub mod adapter {
    /// Version 1 of the adapter service.
    #[allow(missing_docs, clippy::all, unused_qualifications, reason = "generated")]
    pub mod v1 {
        tonic::include_proto!("delinea.scim.adapter.v1");
    }
}

/// The most resources on a page of a list: larger wishes are lowered to it by the service, and are not made by clients that
/// count on getting what they ask for.
pub const LARGEST_PAGE: i32 = 10_000;

/// The metadata by which a write says by which schema table it was read: see `schema_service.proto`.
pub const SCHEMAS_HASH: &str = "scim-schemas-hash";

/// Metadata of a write: for how long the SCIM request that it is part of has been under way, in milliseconds. What is waited for
/// the Platform's verdict counts from that request's beginning.
pub const REQUEST_AGE: &str = "scim-request-age-ms";

/// The encoded `FileDescriptorSet` of the whole contract, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
