#![doc = include_str!("../README.md")]
//!
//! ## What stands where
//!
//! - [`canonicalize`] brings a body of any dialect into one form;
//! - [`Filter`] and [`Path`] are read by one parser, printed, checked against the table, and evaluated;
//! - [`PatchRequest`], [`steps`] and [`apply`] are PATCH, [`replace()`] is PUT;
//! - [`Bulk`] puts the operations of a bulk request in order and resolves their references;
//! - [`Projection`] chooses attributes for an answer, [`SortBy`] its order;
//! - [`Schemas::documents`] are the documents of `/Schemas`, made of the same table; [`Schemas::with_extensions`] is the way
//!   back: a tenant's own extensions, declared in the same form, behave like the built-in ones.
//!
//! No function panics or takes long on any input: lengths, depths and counts are bounded. This crate must never know
//! transports, stores or the time of day.

mod bulk;
mod canonical;
mod error;
mod filter;
mod immutable;
mod message;
mod name;
mod parse;
mod patch;
mod path;
mod projection;
mod replace;
mod required;
mod schema;
mod sort;
mod written;

pub use bulk::{Bulk, BulkCall, BulkMethod, BulkOutcome, BulkResult, MAX_BULK_ID_BYTES, Refusal};
pub use canonical::{MAX_BINARY_CHARS, MAX_TEXT_CHARS, MAX_VALUES, canonicalize};
pub use error::{Error, ErrorKind};
pub use filter::{CompareOp, Filter, Literal, Matcher, Restricted};
pub use message::{bulk_response, error_body, list_response};
pub use name::fold_case;
pub use parse::{MAX_COMPARISONS, MAX_EXPRESSION_BYTES, MAX_NESTING};
pub use patch::{
    MAX_OPERATIONS, MemberMatcher, MemberTarget, Op, Operation, PatchRequest, Step, apply, member_target, steps,
};
pub use path::{AttrPath, Path};
pub use projection::Projection;
pub use replace::replace;
pub use schema::{
    Attribute, AttributeType, Declaration, DeclarationError, DeclarationProblem, MAX_ATTRIBUTES, MAX_CANONICAL_VALUES,
    MAX_DECLARATION_BYTES, MAX_DESCRIPTION_CHARS, MAX_EXTENSIONS, MAX_NAME_CHARS, MAX_SUB_ATTRIBUTES, Mutability,
    ResourceSchema, ResourceType, Returned, Schema, Schemas, Target, URN_BULK_REQUEST, URN_BULK_RESPONSE, URN_DELIVERY,
    URN_ENTERPRISE_USER, URN_ERROR, URN_GROUP, URN_LIST_RESPONSE, URN_PATCH_OP, URN_RESOURCE_TYPE, URN_SCHEMA,
    URN_SEARCH_REQUEST, URN_SERVICE_PROVIDER_CONFIG, URN_USER, Uniqueness,
};
pub use sort::{SortBy, SortKey};
pub use written::{requested_by_body, requested_by_steps};
