//! Microsoft's Logic App suite (v5): the tests that talk to the SCIM endpoint themselves, 15 to 20 and 23 to 25, by their
//! numbers. 1 to 14 act in a directory and are played by the Entra simulator; 21 and 22 ask for tokens.

mod attributes;

use serde_json::{Value, json};

use self::attributes::{eligible, schemas, value_at};
use super::{CORE, ENTERPRISE, NOBODY, ODILE, Person, at, group_at};
use crate::deployment::{Answer, Deployment, group, user};

/// The target attributes of Entra's default mapping, users' and groups'.
const MAPPED: [&str; 22] = [
    "userName",
    "active",
    "displayName",
    "title",
    "emails[type eq \"work\"].value",
    "emails[type eq \"other\"].value",
    "preferredLanguage",
    "name.givenName",
    "name.familyName",
    "name.formatted",
    "addresses[type eq \"work\"].formatted",
    "addresses[type eq \"work\"].streetAddress",
    "addresses[type eq \"work\"].locality",
    "addresses[type eq \"work\"].region",
    "addresses[type eq \"work\"].postalCode",
    "addresses[type eq \"work\"].country",
    "phoneNumbers[type eq \"work\"].value",
    "phoneNumbers[type eq \"mobile\"].value",
    "phoneNumbers[type eq \"fax\"].value",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
];

#[tokio::test]
async fn t15_every_mapped_attribute_is_discovered() {
    let it = Deployment::start().await;
    for (of_groups, mapped) in [(false, &MAPPED[..]), (true, &["displayName", "members"])] {
        let found: Vec<_> = schemas(&it, of_groups)
            .await
            .into_iter()
            .map(|(name, _)| name.to_lowercase())
            .collect();
        for name in mapped {
            assert!(found.contains(&name.to_lowercase()), "{name} is not among {found:?}");
        }
    }
}

#[tokio::test]
async fn t16_an_update_to_nothing_empties_the_attribute() {
    let person = Person::new().await;
    let filled = eligible(&person.it, false).await;
    let filled: Vec<_> = filled.iter().filter(|(name, _)| name != "userName").collect();
    let set: Vec<_> = filled
        .iter()
        .map(|(name, value)| json!({"op": "replace", "path": name, "value": value}))
        .collect();
    for nothing in [json!(""), json!(null)] {
        let read = person.after(json!(set)).await;
        assert!(
            filled.iter().all(|(name, value)| value_at(&read, name) == *value),
            "{read}"
        );
        let clear: Vec<_> = filled
            .iter()
            .map(|(name, _)| json!({"op": "replace", "path": name, "value": nothing}))
            .collect();
        let read = person.after(json!(clear)).await;
        for (name, _) in &filled {
            assert_eq!(value_at(&read, name), Value::Null, "{name} by {nothing}");
        }
        // The same in one operation without a path.
        person.after(json!(set)).await;
        let merged: serde_json::Map<_, _> = filled.iter().map(|(name, _)| (name.clone(), nothing.clone())).collect();
        let read = person.after(json!({"op": "replace", "value": merged})).await;
        for (name, _) in &filled {
            assert_eq!(value_at(&read, name), Value::Null, "{name} by {nothing}, merged");
        }
    }
    assert_eq!(person.read().await["userName"], ODILE);
}

#[tokio::test]
async fn t17_a_user_is_created_and_the_name_comes_back() {
    let it = Deployment::start().await;
    let created = it.scim.post("/Users", &user(ODILE)).await.expect(201);
    let id = created["id"].as_str().unwrap();
    assert!(!id.is_empty());
    assert_eq!(it.scim.get(&at(id)).await.expect(200)["userName"], ODILE);
}

#[tokio::test]
async fn t18_every_eligible_attribute_of_a_user_is_updated() {
    let person = Person::new().await;
    let values = eligible(&person.it, false).await;
    assert!(values.len() > 40, "{values:?}");
    for (name, value) in &values {
        let read = person
            .after(json!({"op": "Replace", "path": name, "value": value}))
            .await;
        assert_eq!(value_at(&read, name), *value, "{name}");
    }
    let read = person.read().await;
    for (name, value) in &values {
        assert_eq!(value_at(&read, name), *value, "{name} at the end");
    }
}

#[tokio::test]
async fn t19_a_group_is_created_and_the_name_comes_back() {
    let it = Deployment::start().await;
    let created = it.scim.post("/Groups", &group::<&str>("Rack", &[])).await.expect(201);
    let read = it
        .scim
        .get(&group_at(created["id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(read["displayName"], "Rack");
}

#[tokio::test]
async fn t20_every_eligible_attribute_of_a_group_is_updated() {
    let it = Deployment::start().await;
    let path = group_at(&it.scim.create_group::<&str>("Rack", &[]).await);
    let values = eligible(&it, true).await;
    assert_eq!(values[0].0, "displayName");
    for (name, value) in values {
        it.scim
            .patch(&path, json!({"op": "Replace", "path": name, "value": value}))
            .await
            .expect(204);
        assert_eq!(value_at(&it.scim.get(&path).await.expect(200), &name), value, "{name}");
    }
}

/// Pages of five: at least two, and each begins where it was asked to.
async fn pages(it: &Deployment, endpoint: &str, total: usize) {
    for page in 0..total.div_ceil(5) {
        let start = page * 5 + 1;
        let answer: Answer = it.scim.get(&format!("{endpoint}?startIndex={start}&count=5")).await;
        let list = answer.expect(200);
        assert_eq!([&list["startIndex"], &list["totalResults"]], [start, total]);
        assert_eq!(list["Resources"].as_array().unwrap().len(), 5.min(total - page * 5));
    }
}

#[tokio::test]
async fn t23_users_are_paged() {
    let it = Deployment::start().await;
    for n in 0..11 {
        it.scim.create_user(&format!("user{n}@kestrel.example")).await;
    }
    pages(&it, "/Users", 11).await;
}

#[tokio::test]
async fn t24_groups_are_paged() {
    let it = Deployment::start().await;
    for n in 0..11 {
        it.scim.create_group::<&str>(&format!("Group {n}"), &[]).await;
    }
    pages(&it, "/Groups", 11).await;
}

#[tokio::test]
async fn t25_a_manager_is_added_replaced_and_emptied() {
    let person = Person::of(&json!({"schemas": [CORE, ENTERPRISE], "userName": ODILE})).await;
    let boss = person.it.scim.create_user("boss@kestrel.example").await;
    let path = format!("{ENTERPRISE}:manager");
    for (op, value, expected) in [
        ("Add", json!(NOBODY), json!(NOBODY)),
        ("Replace", json!(boss), json!(boss)),
        ("Replace", json!(""), Value::Null),
    ] {
        let read = person.after(json!({"op": op, "path": path, "value": value})).await;
        assert_eq!(read[ENTERPRISE]["manager"]["value"], expected, "{op} {value}");
    }
}
