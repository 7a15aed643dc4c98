//! Queries (RFC 7644 §3.4.2, §3.9, §3.10) and discovery (§4).

use serde_json::{Value, json};

use crate::deployment::{Deployment, encoded};
use crate::entra::{CORE, ENTERPRISE, ODILE, Person, at};

/// Users a, b and c, who differ.
async fn three() -> (Deployment, Vec<String>) {
    let it = Deployment::start().await;
    let mut ids = Vec::new();
    for (name, title, active, mails) in [
        (
            "a",
            json!("Lead"),
            true,
            json!([{"type": "work", "value": "a@x.example"}, {"type": "home", "value": "a@y.example"}]),
        ),
        (
            "b",
            json!("lead technician"),
            false,
            json!([{"type": "work", "value": "b@x.example", "primary": true}]),
        ),
        ("c", Value::Null, true, json!([])),
    ] {
        let body = json!({
            "schemas": [CORE, ENTERPRISE], "userName": format!("{name}@kestrel.example"), "externalId": name.to_uppercase(),
            "title": title, "active": active, "emails": mails, "name": {"familyName": name.repeat(3)},
            ENTERPRISE: {"employeeNumber": format!("K-{name}")},
        });
        ids.push(it.scim.create("/Users", &body).await);
    }
    (it, ids)
}

async fn check(table: &[(&str, &str)]) {
    let (it, ids) = three().await;
    for (filter, expected) in table {
        let found = it.scim.find("/Users", filter).await;
        let found: String = found
            .iter()
            .map(|user| ["a", "b", "c"][ids.iter().position(|id| user["id"] == id.as_str()).unwrap()])
            .collect();
        assert_eq!(found, *expected, "{filter}");
    }
}

#[tokio::test]
async fn every_operator_compares_by_the_attributes_type() {
    check(&[
        ("title eq \"LEAD\"", "a"),
        ("title co \"EAD\"", "ab"),
        ("title sw \"lead \"", "b"),
        ("title ew \"technician\"", "b"),
        ("title pr", "ab"),
        ("emails pr", "ab"),
        ("name.familyName gt \"AAA\"", "bc"),
        ("name.familyName ge \"bbb\"", "bc"),
        ("name.familyName lt \"b\"", "a"),
        ("name.familyName le \"BBB\"", "ab"),
        ("userName ne \"a@kestrel.example\"", "bc"),
        // What is exact counts letter case (RFC 7643 §3.1).
        ("externalId eq \"A\"", "a"),
        ("externalId eq \"a\"", ""),
        ("active eq true", "ac"),
        ("active ne true", "b"),
        (
            "meta.created gt \"2020-01-01T00:00:00Z\" and meta.created lt \"2999-01-01T00:00:00+05:00\"",
            "abc",
        ),
        ("meta.created lt \"2020-01-01T00:00:00Z\"", ""),
        ("schemas eq \"urn:ietf:params:scim:schemas:core:2.0:User\"", "abc"),
    ])
    .await;
}

#[tokio::test]
async fn filters_combine_with_precedence_and_by_value() {
    check(&[
        ("title eq \"Lead\" or active eq false and userName sw \"b\"", "ab"),
        ("(title eq \"Lead\" or active eq false) and userName sw \"b\"", "b"),
        ("not (title pr)", "c"),
        ("not (title pr) or title sw \"lead t\"", "bc"),
        ("userName sw \"a\" AND NOT (active eq false)", "a"),
        // One value that fits is enough; within brackets it must be the same one.
        ("emails.value ew \"@y.example\"", "a"),
        ("emails.type eq \"work\" and emails.value ew \"@y.example\"", "a"),
        ("emails[type eq \"work\" and value ew \"@y.example\"]", ""),
        ("emails[type eq \"home\" and value ew \"@y.example\"]", "a"),
        ("emails eq \"b@x.example\"", "b"),
        // Names with their URN and without.
        ("urn:ietf:params:scim:schemas:core:2.0:User:title eq \"lead\"", "a"),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq \"K-b\"",
            "b",
        ),
        ("NAME.FAMILYNAME EQ \"ccc\"", "c"),
    ])
    .await;
}

#[tokio::test]
async fn a_filter_that_cannot_be_answered_is_refused_and_not_ignored() {
    let (it, _) = three().await;
    for filter in [
        "title is \"Lead\"",
        "title",
        "title eq",
        "active gt true",
        "shoeSize eq 44",
        "name eq \"aaa\"",
        "title eq \"Lead\" and",
        "(title pr",
    ] {
        it.scim
            .get(&format!("/Users?filter={}", encoded(filter)))
            .await
            .error(400, "invalidFilter");
    }
}

#[tokio::test]
async fn attributes_are_chosen_and_left_out_but_for_what_is_always_there() {
    let person = Person::new().await;
    let keys = async |query: &str| {
        let list = person.it.scim.get(&format!("/Users?{query}")).await.expect(200);
        let one = person
            .it
            .scim
            .get(&format!("{}?{query}", at(&person.id)))
            .await
            .expect(200);
        assert_eq!(list["Resources"][0], one, "{query}");
        one
    };
    let few = keys("attributes=name.givenName").await;
    assert_eq!(
        few,
        json!({"schemas": few["schemas"], "id": person.id, "name": {"givenName": "Some"}})
    );
    let few = keys(&format!("attributes={}", encoded(&format!("{ENTERPRISE}:department")))).await;
    assert_eq!(few[ENTERPRISE], json!({"department": "Halls"}));
    assert_eq!(few.as_object().unwrap().len(), 3);
    let few = keys(&format!("attributes={}", encoded(&format!("{CORE}:userName")))).await;
    assert_eq!(few["userName"], ODILE);
    let most = keys("excludedAttributes=id,schemas,title").await;
    assert_eq!(
        (&most["id"], most.get("title"), &most["userName"]),
        (&json!(person.id), None, &json!(ODILE))
    );
    assert!(most["schemas"].is_array());
}

#[tokio::test]
async fn pages_are_told_and_counts_below_nothing_are_nothing() {
    let (it, ids) = three().await;
    for (query, start, found) in [
        ("", 1, 3),
        ("?startIndex=0", 1, 3),
        ("?startIndex=-1&count=2", 1, 2),
        ("?startIndex=2", 2, 2),
        ("?count=0", 1, 0),
        ("?count=-1", 1, 0),
        ("?startIndex=3&count=5", 3, 1),
        ("?startIndex=4&count=5", 4, 0),
    ] {
        let page = it.scim.get(&format!("/Users{query}")).await.expect(200);
        assert_eq!(
            [&page["totalResults"], &page["startIndex"], &page["itemsPerPage"]],
            [3, start, found],
            "{query}"
        );
        assert_eq!(page["Resources"].as_array().unwrap().len(), found, "{query}");
        if found > 0 {
            assert_eq!(page["Resources"][0]["id"], ids[start - 1].as_str(), "{query}");
        }
    }
}

#[tokio::test]
async fn discovery_ignores_pages_and_order_and_refuses_filters() {
    let it = Deployment::start().await;
    for path in ["/ResourceTypes", "/Schemas"] {
        let all = it.scim.get(path).await.expect(200);
        let paged = it
            .scim
            .get(&format!("{path}?startIndex=2&count=1&sortBy=name&sortOrder=descending"))
            .await
            .expect(200);
        assert_eq!(paged, all, "{path}");
        it.scim
            .get(&format!("{path}?filter=name+eq+%22User%22"))
            .await
            .error(403, "");
    }
    it.scim
        .get("/ServiceProviderConfig?filter=patch.supported+eq+true")
        .await
        .error(403, "");
    it.scim.get("/ResourceTypes/Nothing").await.error(404, "");
    it.scim.get("/Schemas/urn:nothing").await.error(404, "");
}

#[tokio::test]
async fn what_is_published_of_an_attribute_is_complete() {
    let it = Deployment::start().await;
    let schemas = it.scim.get("/Schemas").await.expect(200);
    let mut open: Vec<Value> = Vec::new();
    for schema in schemas["Resources"].as_array().unwrap() {
        assert!(schema["id"].is_string() && schema["name"].is_string(), "{schema}");
        open.extend(schema["attributes"].as_array().unwrap().iter().cloned());
    }
    while let Some(attribute) = open.pop() {
        for (name, values) in [
            (
                "type",
                &[
                    "string",
                    "boolean",
                    "decimal",
                    "integer",
                    "dateTime",
                    "reference",
                    "complex",
                    "binary",
                ][..],
            ),
            ("mutability", &["readOnly", "readWrite", "immutable", "writeOnly"]),
            ("returned", &["always", "never", "default", "request"]),
            ("uniqueness", &["none", "server", "global"]),
        ] {
            let value = attribute.get(name).and_then(Value::as_str);
            // A complex attribute has no values of its own to be unique.
            let may_be_absent = name == "uniqueness" && attribute["type"] == "complex";
            assert!(
                may_be_absent && value.is_none() || value.is_some_and(|value| values.contains(&value)),
                "{name}: {attribute}"
            );
        }
        for name in ["multiValued", "required"] {
            assert!(attribute[name].is_boolean(), "{name}: {attribute}");
        }
        assert_eq!(
            attribute["type"] == "complex",
            attribute.get("subAttributes").is_some(),
            "{attribute}"
        );
        open.extend(attribute["subAttributes"].as_array().into_iter().flatten().cloned());
    }
}
