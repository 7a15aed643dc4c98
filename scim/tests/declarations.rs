//! Files that declare extensions: what they come to, what is refused and how it is said, and the way back to documents.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::needless_pass_by_value, reason = "callers write the JSON in place")]

use proptest::prelude::*;
use scim::{
    Declaration, DeclarationError, ResourceType, Schemas, URN_DELIVERY, URN_ENTERPRISE_USER, URN_LIST_RESPONSE,
    URN_USER,
};
use serde_json::{Map, Value, json};

const URN: &str = "urn:ietf:params:scim:schemas:extension:kestrel:2.0:User";

fn load(file: &Value) -> Result<Schemas, DeclarationError> {
    Schemas::with_extensions(Declaration::read(&file.to_string())?)
}

fn refused(file: &Value) -> String {
    load(file).expect_err(&file.to_string()).to_string()
}

/// A file with one schema of one attribute.
fn with_attribute(attribute: Value) -> Value {
    json!([{"id": URN, "attributes": [attribute]}])
}

#[test]
fn a_plain_list_and_a_list_response_come_to_the_same() {
    let document = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": URN,
        "name": "KestrelUser",
        "description": "What Kestrel Works knows of a person.",
        "attributes": [{"name": "badgeTier"}, {"name": "desk", "type": "complex", "subAttributes": [{"name": "floor", "type": "integer"}]}],
        "meta": {"resourceType": "Schema", "location": "/Schemas/x"},
    });
    let plain = load(&json!([document])).unwrap();
    let listed = load(&json!({"schemas": [URN_LIST_RESPONSE], "totalResults": 1, "Resources": [document]})).unwrap();
    assert_eq!(plain, listed);
    let attribute = plain.user().extensions[2].attribute("BADGETIER").unwrap();
    assert_eq!(
        attribute,
        &scim::Attribute::new("badgeTier", scim::AttributeType::String, ""),
        "RFC 7643 §2.2: what is left out has its default"
    );
    assert_eq!(plain.group(), Schemas::builtin().group());
    assert_eq!(load(&json!([])).unwrap(), Schemas::builtin());
    assert!(
        Declaration::read("\u{feff}[]").unwrap().is_empty(),
        "an editor's byte order mark"
    );
}

#[test]
fn a_resource_type_document_says_who_has_what_and_must() {
    let schema = |urn: &str| json!({"id": urn, "attributes": [{"name": "costCentre"}]});
    let (both, users) = ("urn:kestrel:shared", "urn:kestrel:people:User");
    let resource_type = |name: &str, core: &str, extensions: Value| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "name": name, "endpoint": format!("/{name}s"), "schema": core, "schemaExtensions": extensions,
        })
    };
    let schemas = load(&json!({"Resources": [
        resource_type("User", URN_USER, json!([{"schema": both, "required": true}, {"schema": URN_ENTERPRISE_USER}])),
        schema(both),
        schema(users),
        resource_type("Group", scim::URN_GROUP, json!([{"schema": both, "required": false}])),
    ]}))
    .unwrap();
    let urns = |kind| {
        let extensions = schemas.resource(kind).extensions.iter();
        extensions.map(|extension| extension.id.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(
        urns(ResourceType::User),
        [URN_ENTERPRISE_USER, URN_DELIVERY, both, users]
    );
    assert_eq!(urns(ResourceType::Group), [URN_DELIVERY, both]);
    let types = schemas.resource_types();
    assert_eq!(
        types[0]["schemaExtensions"],
        json!([
            {"schema": URN_ENTERPRISE_USER, "required": false},
            {"schema": both, "required": true},
            {"schema": users, "required": false},
        ])
    );
    assert_eq!(
        types[1]["schemaExtensions"],
        json!([{"schema": both, "required": false}])
    );
    assert_eq!(schemas.documents().len(), 6, "the shared one is shown once");
    assert_eq!(Schemas::with_extensions(schemas.declarations()), Ok(schemas));
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let attribute = json!([{"name": "a"}]);
    let resource_type = |extensions: Value| json!([{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"], "name": "User", "schemaExtensions": extensions}]);
    let same = |id: &str| json!({"id": id, "attributes": attribute});
    let slipped = "urn:ietf:params:scim:schemas:extension:enterprise:2.0User";
    let table = [
        (json!("x"), "the declaration: expected a list"),
        (json!({"Schemas": []}), "the declaration: expected a list"),
        (json!(["x"]), "document 1: neither a Schema"),
        (json!([{"attributes": attribute}]), "document 1: neither a Schema"),
        (json!([{"id": URN}]), "`attributes` is missing"),
        (json!([{"id": URN, "attributes": {}}]), "`attributes` must be a list"),
        (json!([{"id": URN, "attributes": []}]), "has no attributes"),
        (json!([{"id": URN, "atributes": attribute}]), "`atributes` is nothing"),
        (
            json!([{"id": URN, "name": 7, "attributes": attribute}]),
            "`name` must be a text",
        ),
        (
            json!([{"id": URN, "description": "x".repeat(1001), "attributes": attribute}]),
            "`description` is longer",
        ),
        (
            json!([{"id": URN, "schemas": [URN_USER], "attributes": attribute}]),
            "neither a Schema",
        ),
        (json!([same("kestrel:User")]), "kestrel:User: the id must be a URN"),
        (json!([same("urn:k:User")]), "must be a URN"),
        (json!([same("urn:kestrel:a b:User")]), "must be a URN"),
        (json!([same("urn:kestrel:é:User")]), "must be a URN"),
        (json!([same("urn:kestrel::User")]), "must be a URN"),
        (json!([same("urn:kestrel:1%200:User")]), "must be a URN"),
        (
            json!([same(&format!("urn:kestrel:{}:User", "x".repeat(200)))]),
            "must be a URN",
        ),
        (json!([same(&URN_USER.to_uppercase())]), "built in"),
        (json!([same(URN_ENTERPRISE_USER)]), "built in"),
        (
            json!([same(slipped), {"name": "User", "schemaExtensions": [{"schema": slipped}]}]),
            "built in",
        ),
        (
            json!([same("urn:ietf:params:scim:schemas:core:2.0:Device:User")]),
            "RFC's own",
        ),
        (json!([same("urn:ietf:params:scim:api:messages:2.0:User")]), "RFC's own"),
        (json!([same(&format!("{URN_ENTERPRISE_USER}:User"))]), "told apart"),
        (json!([same(URN), same(&URN.to_lowercase())]), "declared twice"),
        (
            json!([same("urn:kestrel:a:User"), same("urn:kestrel:a:User:b:User")]),
            "`urn:kestrel:a:User` cannot be told apart",
        ),
        (
            json!([same("urn:kestrel:a:User:b:User"), same("urn:kestrel:a:User")]),
            "told apart",
        ),
        (
            json!([same("urn:kestrel:badge")]),
            "urn:kestrel:badge: nothing says whether users or groups",
        ),
        (
            Value::from_iter((0..21).map(|at| same(&format!("urn:kestrel:{at}:User")))),
            "more than 20 extensions",
        ),
        (
            resource_type(json!([{"schema": "urn:kestrel:gone"}])),
            "User: `schemaExtensions` names `urn:kestrel:gone`, which is not declared",
        ),
        (
            resource_type(json!([{"schema": URN_ENTERPRISE_USER}, {"schema": URN_ENTERPRISE_USER}])),
            "twice",
        ),
        (
            resource_type(json!([{"schema": URN_ENTERPRISE_USER, "required": true}])),
            "cannot be made required",
        ),
        (resource_type(json!({})), "`schemaExtensions` must be a list"),
        (
            resource_type(json!([{"urn": "x"}])),
            "`schemaExtensions.schema` must be a URN",
        ),
        (
            resource_type(json!([{"schema": "x", "required": "yes"}])),
            "true or false",
        ),
        (
            json!([{"name": "Device", "schemaExtensions": []}]),
            "Device: there are the resource types User and Group",
        ),
    ];
    for (file, said) in table {
        let error = refused(&file);
        assert!(error.contains(said), "{file}: {error}");
    }
    assert!(Declaration::read("[{]").unwrap_err().to_string().contains("line 1"));
    assert!(
        Declaration::read(&" ".repeat(2 << 20))
            .unwrap_err()
            .to_string()
            .contains("bytes")
    );
}

#[test]
fn what_is_wrong_with_an_attribute_is_said_with_its_schema_and_name() {
    let part = |part: Value| json!({"name": "desk", "type": "complex", "subAttributes": [part]});
    let many = |count: usize| Value::from_iter((0..count).map(|at| json!({"name": format!("a{at}")})));
    let table = [
        (json!("x"), "number 1", "neither a Schema"),
        (json!({"type": "string"}), "number 1", "`name` is missing"),
        (json!({"name": "badge tier"}), "badge tier", "must be a letter"),
        (json!({"name": "$ref"}), "$ref", "must be a letter"),
        (json!({"name": "1st"}), "1st", "must be a letter"),
        (json!({"name": "é"}), "é", "must be a letter"),
        (json!({"name": "x".repeat(201)}), "xxx", "must be a letter"),
        (
            json!({"name": "a", "type": "text"}),
            "a",
            "`type` is `text`; it can be string, boolean,",
        ),
        (json!({"name": "a", "type": "String"}), "a", "`type` is `String`"),
        (
            json!({"name": "a", "mutability": "writeonly"}),
            "a",
            "it can be readOnly, readWrite, immutable, writeOnly",
        ),
        (
            json!({"name": "a", "returned": "sometimes"}),
            "a",
            "it can be always, never, default, request",
        ),
        (
            json!({"name": "a", "required": "true"}),
            "a",
            "`required` must be true or false",
        ),
        (
            json!({"name": "a", "multivalued": true}),
            "a",
            "`multivalued` is nothing",
        ),
        (
            json!({"name": "a", "uniqueness": "server"}),
            "a",
            "not enforced is not published",
        ),
        (
            json!({"name": "a", "uniqueness": "global"}),
            "a",
            "not enforced is not published",
        ),
        (
            json!({"name": "a", "uniqueness": "tenant"}),
            "a",
            "none, server, global",
        ),
        (
            json!({"name": "a", "mutability": "writeOnly", "returned": "default"}),
            "a",
            "never returned",
        ),
        (
            json!({"name": "a", "mutability": "readOnly", "required": true}),
            "a",
            "cannot be required",
        ),
        (
            json!({"name": "a", "type": "binary", "caseExact": false}),
            "a",
            "compared exactly",
        ),
        (json!({"name": "a", "type": "reference"}), "a", "needs `referenceTypes`"),
        (
            json!({"name": "a", "type": "reference", "referenceTypes": ["Device"]}),
            "a",
            "needs `referenceTypes`",
        ),
        (
            json!({"name": "a", "referenceTypes": ["User"]}),
            "a",
            "a string has no `referenceTypes`",
        ),
        (
            json!({"name": "a", "type": "integer", "canonicalValues": ["1"]}),
            "a",
            "a integer has no `canonicalValues`",
        ),
        (
            json!({"name": "a", "canonicalValues": [1]}),
            "a",
            "`canonicalValues` must be a list of texts",
        ),
        (
            json!({"name": "a", "canonicalValues": vec!["x"; 101]}),
            "a",
            "more than 100 canonical values",
        ),
        (
            json!({"name": "a", "canonicalValues": ["x".repeat(1001)]}),
            "a",
            "`canonicalValues` is longer",
        ),
        (json!({"name": "a", "type": "complex"}), "a", "needs `subAttributes`"),
        (
            json!({"name": "a", "type": "complex", "subAttributes": []}),
            "a",
            "needs `subAttributes`",
        ),
        (
            json!({"name": "a", "type": "complex", "subAttributes": {}}),
            "a",
            "must be a list",
        ),
        (
            json!({"name": "a", "subAttributes": [{"name": "b"}]}),
            "a",
            "only a complex attribute",
        ),
        (
            json!({"name": "a", "type": "complex", "subAttributes": many(31)}),
            "a",
            "more than 30 sub-attributes",
        ),
        (
            part(json!({"name": "b", "type": "complex", "subAttributes": [{"name": "c"}]})),
            "desk.b",
            "not complex itself",
        ),
        (
            part(json!({"name": "b", "multiValued": true})),
            "desk.b",
            "several values is not supported",
        ),
        (
            part(json!({"name": "b", "type": "float"})),
            "desk.b",
            "`type` is `float`",
        ),
    ];
    for (attribute, name, said) in table {
        let error = refused(&with_attribute(attribute));
        assert!(error.starts_with(&format!("{URN}: attribute `{name}")), "{error}");
        assert!(error.contains(said), "{error}");
    }
    let twice = json!([{"id": URN, "attributes": [{"name": "badge"}, {"name": "BADGE"}]}]);
    assert!(refused(&twice).contains("attribute `BADGE`: declared twice"));
    let twice =
        with_attribute(json!({"name": "d", "type": "complex", "subAttributes": [{"name": "b"}, {"name": "B"}]}));
    assert!(refused(&twice).contains("attribute `d.B`: declared twice"));
    assert!(refused(&json!([{"id": URN, "attributes": many(101)}])).contains("more than 100 attributes"));
}

#[test]
fn published_schemas_of_others_can_be_read() {
    // RFC 7643 §8.7.1 in its own spelling, under a URN of ours.
    let file = with_attribute(json!({
        "name": "manager", "type": "complex", "multiValued": false, "description": "The User's manager.", "required": false,
        "uniqueness": "none", "mutability": "readWrite", "returned": "default",
        "subAttributes": [
            {"name": "value", "type": "string", "multiValued": false, "caseExact": false, "uniqueness": "none"},
            {"name": "$ref", "type": "reference", "referenceTypes": ["User"], "caseExact": false, "returned": "default"},
            {"name": "displayName", "type": "string", "mutability": "readOnly", "subAttributes": []},
            {"name": "primary", "type": "boolean", "caseExact": true},
        ],
    }));
    let schemas = load(&file).unwrap();
    let manager = schemas.user().extensions[2].attribute("manager").unwrap();
    assert!(!manager.sub_attribute("$ref").unwrap().case_exact);
}

// The way back.

fn characteristics(kind: &'static str, is_part: bool) -> impl Strategy<Value = Map<String, Value>> {
    let mutability = prop::sample::select(&["readOnly", "readWrite", "immutable", "writeOnly"][..]);
    let returned = prop::sample::select(&["always", "never", "default", "request"][..]);
    (mutability, returned, any::<[bool; 3]>(), ".{0,20}").prop_map(
        move |(mutability, returned, [multi_valued, required, case_exact], description)| {
            let returned = if mutability == "writeOnly" { "never" } else { returned };
            let mut map = Map::new();
            map.insert("type".to_owned(), json!(kind));
            map.insert("mutability".to_owned(), json!(mutability));
            map.insert("returned".to_owned(), json!(returned));
            map.insert("description".to_owned(), json!(description));
            map.insert("required".to_owned(), json!(required && mutability != "readOnly"));
            map.insert("multiValued".to_owned(), json!(multi_valued && !is_part));
            if kind != "binary" {
                map.insert("caseExact".to_owned(), json!(case_exact));
            }
            if kind == "string" {
                map.insert("canonicalValues".to_owned(), json!(["a", "b"]));
            }
            if kind == "reference" {
                map.insert("referenceTypes".to_owned(), json!(["User", "external"]));
            }
            map
        },
    )
}

fn simple(is_part: bool) -> impl Strategy<Value = Map<String, Value>> {
    let kinds = &[
        "string",
        "boolean",
        "decimal",
        "integer",
        "dateTime",
        "reference",
        "binary",
    ][..];
    prop::sample::select(kinds).prop_flat_map(move |kind| characteristics(kind, is_part))
}

fn named(attributes: Vec<Map<String, Value>>) -> Value {
    let name = |(at, mut attribute): (usize, Map<String, Value>)| {
        attribute.insert("name".to_owned(), json!(format!("a-{at}_$")));
        attribute
    };
    attributes.into_iter().enumerate().map(name).collect()
}

fn attribute() -> impl Strategy<Value = Map<String, Value>> {
    let parts = prop::collection::vec(simple(true), 1..4);
    let complex = (characteristics("complex", false), parts).prop_map(|(mut attribute, parts)| {
        attribute.insert("subAttributes".to_owned(), named(parts));
        attribute
    });
    prop_oneof![simple(false), complex]
}

proptest! {
    #[test]
    fn documents_read_back_as_the_table_they_were_made_of(
        schemas in prop::collection::vec((prop::collection::vec(attribute(), 1..5), any::<[bool; 2]>()), 0..4),
    ) {
        let declared = schemas.into_iter().enumerate().map(|(at, (attributes, [group, required]))| Declaration {
            resource_type: if group { ResourceType::Group } else { ResourceType::User },
            required,
            document: json!({"id": format!("urn:kestrel:{at}.0:x"), "name": "x", "attributes": named(attributes)}),
        });
        let schemas = Schemas::with_extensions(declared).unwrap();
        prop_assert_eq!(Schemas::with_extensions(schemas.declarations()), Ok(schemas.clone()));
        // And what is published, as a file, is the same table again.
        let builtin = Schemas::builtin().documents().len();
        let documents = schemas.documents();
        let (cores, own) = documents.split_at(builtin);
        prop_assert_eq!(cores, Schemas::builtin().documents());
        let file = own.iter().cloned().chain(schemas.resource_types()).collect::<Value>();
        prop_assert_eq!(load(&file), Ok(schemas));
    }

    #[test]
    fn no_file_makes_it_panic(text in "[\\[\\]{}\":,a-z0-9 ]{0,80}") {
        let _ = Declaration::read(&text).and_then(Schemas::with_extensions);
    }
}
