//! What can be wrong with a declared schema, said to the operator who wrote it: which schema, which attribute, what.

use super::{
    AttributeType, MAX_ATTRIBUTES, MAX_CANONICAL_VALUES, MAX_DECLARATION_BYTES, MAX_DESCRIPTION_CHARS, MAX_EXTENSIONS,
    MAX_NAME_CHARS, MAX_SUB_ATTRIBUTES, Mutability, Returned, words::Word,
};

/// A declaration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", place(schema.as_deref(), attribute.as_deref()))]
pub struct DeclarationError {
    /// The URN of the schema, or where it stands if it has none.
    pub schema: Option<String>,
    /// The attribute, with its part after a dot.
    pub attribute: Option<String>,
    /// What is wrong.
    pub problem: DeclarationProblem,
}

fn place(schema: Option<&str>, attribute: Option<&str>) -> String {
    let schema = schema.unwrap_or("the declaration");
    match attribute {
        Some(attribute) => format!("{schema}: attribute `{attribute}`"),
        None => schema.to_owned(),
    }
}

/// What is wrong with a declaration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum DeclarationProblem {
    #[error("longer than the {MAX_DECLARATION_BYTES} bytes that are read")]
    TooLong,
    #[error("no JSON: {0}")]
    NoJson(String),
    #[error("expected a list of Schema documents, or a ListResponse with them in `Resources`")]
    NoList,
    #[error(
        "neither a Schema document, with `id` and `attributes`, nor a ResourceType document, with `schemaExtensions`"
    )]
    UnknownDocument,
    #[error("more than {MAX_EXTENSIONS} extensions")]
    TooManyExtensions,

    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{0}` must be {1}")]
    WrongType(&'static str, &'static str),
    #[error("`{0}` is nothing that a declaration has (RFC 7643 §7)")]
    UnknownMember(String),
    #[error("`{member}` is `{value}`; it can be {known}")]
    UnknownWord {
        member: &'static str,
        value: String,
        known: String,
    },

    #[error(
        "the id must be a URN such as urn:ietf:params:scim:schemas:extension:example:2.0:User, of letters, digits and `-._$`, at most {MAX_NAME_CHARS} characters"
    )]
    MalformedUrn,
    #[error("this URN is built in")]
    BuiltInUrn,
    #[error("URNs that begin with `{0}` are the RFC's own")]
    ReservedUrn(&'static str),
    #[error("this URN is declared twice")]
    RepeatedUrn,
    #[error("this URN and `{0}` cannot be told apart in a path: one begins with the other")]
    AmbiguousUrn(String),
    #[error(
        "nothing says whether users or groups have it: end its URN in `:User` or `:Group`, or add a ResourceType document that names it in `schemaExtensions`"
    )]
    NoResourceType,

    #[error("there are the resource types User and Group, and no others")]
    UnknownResourceType,
    #[error("`schemaExtensions` names `{0}`, which is not declared")]
    UndeclaredExtension(String),
    #[error("`schemaExtensions` names `{0}` twice")]
    RepeatedExtension(String),
    #[error("the built-in extension `{0}` cannot be made required")]
    RequiredBuiltIn(String),

    #[error("has no attributes")]
    NoAttributes,
    #[error("more than {MAX_ATTRIBUTES} attributes")]
    TooManyAttributes,
    #[error("more than {MAX_SUB_ATTRIBUTES} sub-attributes")]
    TooManySubAttributes,
    #[error(
        "the name must be a letter, then letters, digits, `_`, `-` and `$`, at most {MAX_NAME_CHARS} characters (RFC 7643 §2.1)"
    )]
    MalformedName,
    #[error("declared twice; the letter case of a name does not count")]
    RepeatedName,
    #[error("a complex attribute needs `subAttributes`")]
    NoSubAttributes,
    #[error("only a complex attribute has `subAttributes`")]
    SubAttributesOfSimple,
    #[error("a sub-attribute is not complex itself (RFC 7643 §2.3.8)")]
    NestedComplex,
    #[error("a sub-attribute with several values is not supported; make the attribute itself multi-valued")]
    MultiValuedSubAttribute,
    #[error(
        "`uniqueness` can only be none: the values of declared attributes are not kept apart, and what is not enforced is not published"
    )]
    NotUnique,
    #[error("`mutability` is {} and `returned` is {}: what is only written is never returned; leave `returned` out", Mutability::WriteOnly.word(), .0.word())]
    ReturnedWriteOnly(Returned),
    #[error("nobody can write what is readOnly, so it cannot be required")]
    RequiredReadOnly,
    #[error("a {} has no `{member}`", kind.word())]
    NotForType { kind: AttributeType, member: &'static str },
    #[error("bytes are always compared exactly; leave `caseExact` out")]
    BinaryCase,
    #[error("a reference needs `referenceTypes`, each one of external, uri, User and Group")]
    ReferenceTypes,
    #[error("more than {MAX_CANONICAL_VALUES} canonical values")]
    TooManyCanonicalValues,
    #[error("`{0}` is longer than {MAX_DESCRIPTION_CHARS} characters")]
    LongText(&'static str),
}
