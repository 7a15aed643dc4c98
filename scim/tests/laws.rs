//! Laws of the language, held against random input: text and trees are one, canonical form is a fixed point, printed
//! steps read back as themselves, patches obey algebra, and nothing panics on anything.

use std::sync::LazyLock;

use proptest::prelude::*;
use scim::{
    AttrPath, CompareOp, Declaration, Filter, Literal, Op, Operation, PatchRequest, Path, Projection, ResourceSchema,
    Schemas, SortBy, Step, URN_ENTERPRISE_USER, apply, canonicalize, fold_case, member_target, steps,
};
use serde_json::{Map, Number, Value, json};

// Trees: what a parser can make, so that print and parse must be inverse.

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z][a-zA-Z0-9_-]{0,8}".prop_filter("reads as the operator before a parenthesis", |name| {
        !name.eq_ignore_ascii_case("not")
    })
}

fn attr_path() -> impl Strategy<Value = AttrPath> {
    let urn = prop_oneof![
        3 => Just(None),
        1 => Just(Some(URN_ENTERPRISE_USER.to_owned())),
        1 => "urn:[a-z]{1,5}:[a-z]{1,5}:[0-9]\\.[0-9]:[A-Z][a-z]{1,5}".prop_map(Some),
    ];
    let sub = prop::option::of(prop_oneof![name(), Just("$ref".to_owned())]);
    (urn, name(), sub).prop_map(|(urn, attribute, sub)| AttrPath { urn, attribute, sub })
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any::<String>().prop_map(Literal::String),
        any::<i64>().prop_map(|number| Literal::Number(number.into())),
        any::<f64>()
            .prop_filter_map("JSON has no such number", Number::from_f64)
            .prop_map(Literal::Number),
        any::<bool>().prop_map(Literal::Boolean),
        Just(Literal::Null),
    ]
}

fn operator() -> impl Strategy<Value = CompareOp> {
    prop::sample::select(CompareOp::ALL.to_vec())
}

fn filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        (attr_path(), operator(), literal()).prop_map(|(path, op, value)| Filter::Compare { path, op, value }),
        attr_path().prop_map(Filter::Present),
    ];
    leaf.prop_recursive(5, 48, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::and),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::or),
            inner.clone().prop_map(|inner| Filter::Not(Box::new(inner))),
            (attr_path(), inner).prop_map(|(attr, inner)| Filter::ValuePath {
                attr,
                filter: Box::new(inner)
            }),
        ]
    })
}

fn path() -> impl Strategy<Value = Path> {
    prop_oneof![
        attr_path().prop_map(|attr| Path {
            attr,
            filter: None,
            sub: None
        }),
        (attr_path(), filter(), prop::option::of(name())).prop_map(|(attr, filter, sub)| Path {
            attr: AttrPath { sub: None, ..attr },
            filter: Some(filter),
            sub
        }),
    ]
}

// Bodies: real names with values of every shape, and anything at all.

const NAMES: &[&str] = &[
    "userName",
    "USERNAME",
    "displayName",
    "title",
    "active",
    "name",
    "name.givenName",
    "emails",
    "emails.value",
    "addresses",
    "roles",
    "members",
    "manager",
    "groups",
    "id",
    "meta",
    "schemas",
    "externalId",
    "password",
    "value",
    "Value",
    "type",
    "primary",
    "display",
    "$ref",
    "givenName",
    "locality",
    "department",
    "employeeNumber",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
    "urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:core:2.0:User:title",
    "unknown",
    "tags",
    "urn:kestrel:User",
    "urn:kestrel:User:members",
    "urn:kestrel:User:tags",
    "urn:kestrel:User:name.givenName",
];

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => prop::sample::select(NAMES).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    let packed = "\\{\"(id|value|displayName)\":\"[a-z{}\\\\\"]{0,6}\"\\}";
    prop_oneof![
        3 => "[a-c]{0,2}".prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => prop::sample::select(vec!["True", "false", "work", "2026-11-23T10:00:00Z"]).prop_map(Value::from),
        1 => packed.prop_map(Value::from),
        1 => "[a-c]{1,3}".prop_map(|inner| json!({"value": json!({"value": inner}).to_string()}).to_string().into()),
        1 => any::<i32>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..5).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn body() -> impl Strategy<Value = Value> {
    prop::collection::vec((key(), value()), 0..8).prop_map(|pairs| {
        let mut body: Map<String, Value> = pairs.into_iter().collect();
        body.insert("userName".to_owned(), json!("odile"));
        body.insert("displayName".to_owned(), json!("Odile"));
        Value::Object(body)
    })
}

/// Paths that lead somewhere, so that random patches do something.
const PATHS: &[&str] = &[
    "title",
    "Active",
    "name",
    "name.familyName",
    "emails",
    "emails.value",
    "emails[type eq \"work\"]",
    "emails[type eq \"work\"].value",
    "emails[primary eq \"True\"].value",
    "emails[type eq \"a\" and type eq \"b\"].value",
    "addresses[type eq \"work\"].locality",
    "roles",
    "roles[value eq \"a\"].display",
    "manager",
    "manager.value",
    "manager[value eq \"a\"]",
    "members",
    "members[value eq \"a\" or value eq \"b\"]",
    "externalId",
    "department",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:kestrel:User",
    "urn:kestrel:User:tags",
    "urn:kestrel:User:tags[value eq \"a\"]",
    "urn:kestrel:User:members",
    "urn:kestrel:User:value",
    "urn:kestrel:User:name",
    "urn:kestrel:User:name.givenName",
    "urn:kestrel:User:emails[value eq \"1\"].type",
    "urn:kestrel:User:emails[type eq \"work\"].value",
];

fn operation() -> impl Strategy<Value = Operation> {
    let path = prop_oneof![
        6 => prop::sample::select(PATHS).prop_map(|path| Some(path.to_owned())),
        1 => path().prop_map(|path| Some(path.to_string())),
        2 => Just(None),
    ];
    let op = prop::sample::select(vec![Op::Add, Op::Remove, Op::Replace]);
    (op, path, prop::option::weighted(0.9, value())).prop_map(|(op, path, value)| Operation {
        op,
        path,
        value,
        number: 0,
    })
}

/// The built-in tables, and one with attributes of every characteristic under names that mean something elsewhere.
fn tables() -> [ResourceSchema; 3] {
    let schemas = Schemas::builtin();
    [schemas.user().clone(), schemas.group().clone(), EXTENDED.clone()]
}

const DECLARED: &str = r#"[{"id": "urn:kestrel:User", "attributes": [
    {"name": "userName"},
    {"name": "tags", "multiValued": true},
    {"name": "members", "type": "integer", "multiValued": true},
    {"name": "roles", "type": "boolean"},
    {"name": "title", "type": "dateTime", "returned": "never"},
    {"name": "value", "mutability": "immutable"},
    {"name": "name", "type": "complex", "subAttributes": [{"name": "givenName", "required": true}, {"name": "value"}]},
    {"name": "emails", "type": "complex", "multiValued": true, "subAttributes": [
        {"name": "value", "type": "decimal"}, {"name": "type", "mutability": "immutable"}, {"name": "primary", "type": "boolean"}
    ]}
]}]"#;

static EXTENDED: LazyLock<ResourceSchema> = LazyLock::new(|| {
    let schemas = Declaration::read(DECLARED).and_then(Schemas::with_extensions);
    schemas.expect("it is declared well").user().clone()
});

fn printed(steps: &[Step]) -> Vec<Operation> {
    steps.iter().map(Step::to_operation).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_printed_filter_reads_back(filter in filter()) {
        let text = filter.to_string();
        prop_assert_eq!(Filter::parse(&text)?, filter);
    }

    #[test]
    fn a_printed_path_reads_back(path in path()) {
        let text = path.to_string();
        prop_assert_eq!(Path::parse(&text)?, path);
    }

    #[test]
    fn whatever_parses_prints_and_reads_back(text in "[a-z\\.\\[\\]\\(\\)\" \\\\:0-9é]{0,40}") {
        if let Ok(filter) = Filter::parse(&text) {
            prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter));
        }
        if let Ok(path) = Path::parse(&text) {
            prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
        }
    }

    #[test]
    fn canonical_form_is_a_fixed_point(body in body()) {
        for table in &tables() {
            if let Ok(once) = canonicalize(table, body.clone()) {
                prop_assert_eq!(canonicalize(table, once.clone()), Ok(once));
            }
        }
    }

    #[test]
    fn printed_steps_read_back_as_themselves(operations in prop::collection::vec(operation(), 1..4)) {
        for table in &tables() {
            if let Ok(first) = steps(table, operations.clone()) {
                let again = steps(table, printed(&first))?;
                prop_assert_eq!(printed(&again), printed(&first));
            }
        }
    }

    #[test]
    fn a_patch_gives_canonical_form(body in body(), operations in prop::collection::vec(operation(), 1..4)) {
        for table in &tables() {
            let Ok(before) = canonicalize(table, body.clone()) else { continue };
            let Ok(steps) = steps(table, operations.clone()) else { continue };
            if let Ok(after) = apply(table, before, &steps) {
                prop_assert_eq!(canonicalize(table, after.clone()), Ok(after));
            }
        }
    }

    /// Q22: what an operation has done, doing it again does not undo or double.
    #[test]
    fn an_operation_done_twice_is_done_once(body in body(), operation in operation()) {
        for table in &tables() {
            let Ok(before) = canonicalize(table, body.clone()) else { continue };
            let Ok(steps) = steps(table, [operation.clone()]) else { continue };
            let Ok(once) = apply(table, before, &steps) else { continue };
            prop_assert_eq!(apply(table, once.clone(), &steps), Ok(once));
        }
    }

    /// Adding to a list what it has changes nothing; adding what it has not and removing it again neither.
    #[test]
    fn removal_undoes_addition(values in prop::collection::vec("[a-d]@x", 0..4), new in "[a-f]@x") {
        let table = Schemas::builtin();
        let emails: Vec<_> = values.iter().map(|value| json!({"value": value})).collect();
        let before = canonicalize(table.user(), json!({"userName": "odile", "emails": emails}))?;
        let run = |resource: Value, op, value: Value| {
            let operation = Operation { op, path: Some("emails".to_owned()), value: Some(value), number: 0 };
            steps(table.user(), [operation]).and_then(|steps| apply(table.user(), resource, &steps))
        };
        let added = run(before.clone(), Op::Add, json!([{"value": new}]))?;
        if values.contains(&new) {
            prop_assert_eq!(added, before);
        } else {
            prop_assert_ne!(&added, &before);
            prop_assert_eq!(run(added, Op::Remove, json!([{"value": new}])), Ok(before));
        }
    }

    #[test]
    fn nothing_panics_on_any_text(text in any::<String>()) {
        let tables = tables();
        if let Ok(filter) = Filter::parse(&text) {
            for table in &tables {
                let _ = filter.check(table);
                filter.matches(table, &json!({"userName": "odile"}));
            }
        }
        let _ = (Path::parse(&text), AttrPath::parse(&text), fold_case(&text));
        if let Ok(projection) = Projection::parse(Some(&text), Some(&text)) {
            projection.apply(&tables[0], &mut json!({"userName": "odile", "emails": [{"value": "a"}]}));
        }
    }

    #[test]
    fn nothing_panics_on_any_json(value in value(), operations in prop::collection::vec(operation(), 0..4)) {
        for table in &tables() {
            let _ = canonicalize(table, value.clone());
            let _ = PatchRequest::from_json(value.clone());
            if let Ok(steps) = steps(table, operations.clone()) {
                for step in &steps {
                    let _ = member_target(step);
                }
                // Even on a resource that is in no form at all.
                let _ = apply(table, value.clone(), &steps);
            }
        }
    }

    #[test]
    fn a_filter_that_passes_the_check_matches_or_not_without_panic(filter in filter(), body in body()) {
        for table in &tables() {
            let _ = filter.check(table);
            let matches = filter.matches(table, &body);
            prop_assert_eq!(Filter::Not(Box::new(filter.clone())).matches(table, &body), !matches);
        }
    }
}

// Order: keys are totally ordered, and agree with what filters say of less and more.

/// Users that differ in what one would sort them by.
fn sortable() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["[a-cA-Cß]{0,3}", ".{0,300}"];
    let texts = prop::collection::vec((text.clone(), any::<bool>()), 0..3);
    let moment =
        (0_i64..5, -2_i64..=2).prop_map(|(hour, offset)| format!("2026-11-23T{:02}:00:00{offset:+03}:00", hour + 10));
    (prop::option::of(text), texts, prop::option::of(any::<bool>()), moment).prop_map(
        |(text, emails, active, created)| {
            let emails: Vec<_> = emails
                .iter()
                .map(|(value, primary)| json!({"value": value, "primary": primary}))
                .collect();
            let mut user = json!({ "emails": emails, "meta": { "created": created } });
            if let Some(text) = text {
                user["userName"] = text.clone().into();
                user["externalId"] = text.into();
            }
            if let Some(active) = active {
                user["active"] = active.into();
            }
            user
        },
    )
}

proptest! {
    #[test]
    fn sort_keys_are_totally_ordered(
        users in prop::array::uniform3(sortable()),
        by in prop::sample::select(&["userName", "externalId", "emails", "emails.primary", "active", "meta.created"][..]),
    ) {
        let schemas = Schemas::builtin();
        let sort = SortBy::parse(schemas.user(), by).unwrap();
        let [a, b, c] = users.map(|user| sort.key(&user));
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        prop_assert!(!(a <= b && b <= c) || a <= c);
        let none = sort.key(&json!({}));
        prop_assert!(a <= none && b <= none && c <= none);
    }

    #[test]
    fn what_a_filter_calls_less_sorts_before(left in "[a-eA-Eß]{1,4}", right in "[a-eA-Eß]{1,4}") {
        let schemas = Schemas::builtin();
        for attribute in ["userName", "externalId"] {
            let sort = SortBy::parse(schemas.user(), attribute).unwrap();
            let user = json!({ attribute: left });
            let less = Filter::parse(&format!("{attribute} lt \"{right}\"")).unwrap();
            let before = sort.key(&user) < sort.key(&json!({ attribute: right }));
            prop_assert_eq!(less.matches(schemas.user(), &user), before);
        }
    }
}
