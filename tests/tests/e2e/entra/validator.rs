//! Microsoft's SCIM Validator: its tests by their numbers, in its own shapes, random text for everything included. Users'
//! here, groups' and the preview tests below.

mod groups;
mod preview;
mod shapes;

use serde_json::{Value, json};

use self::shapes::{agrees, body, verbose};
use super::{CORE, ENTERPRISE, Person, at};
use crate::deployment::{Deployment, Scim};

const PERSON: &str = "UWSKMDKGJVRX";

async fn only(scim: &Scim, filter: &str) -> Value {
    let mut found = scim.find("/Users", filter).await;
    assert_eq!(found.len(), 1, "{filter}");
    found.remove(0)
}

#[tokio::test]
async fn v01_create_a_new_user() {
    let it = Deployment::start().await;
    let sent = body(PERSON, "one");
    let created = it.scim.post("/Users", &sent).await.expect(201);
    agrees(&created, &sent);
    agrees(&only(&it.scim, &format!("userName eq \"{PERSON}\"")).await, &sent);
}

#[tokio::test]
async fn v02_create_a_duplicate_user() {
    let it = Deployment::start().await;
    it.scim.create("/Users", &body(PERSON, "one")).await;
    it.scim
        .post("/Users", &body(PERSON, "one"))
        .await
        .error(409, "uniqueness");
}

#[tokio::test]
async fn v03_filter_existing_user() {
    let person = Person::of(&body(PERSON, "one")).await;
    let list = person
        .it
        .scim
        .get(&format!("/Users?filter=userName+eq+%22{PERSON}%22"))
        .await
        .expect(200);
    assert_eq!(
        list["schemas"],
        json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"])
    );
    assert_eq!(
        [&list["totalResults"], &list["startIndex"], &list["itemsPerPage"]],
        [1, 1, 1]
    );
    assert_eq!(list["Resources"], json!([person.read().await]));
}

#[tokio::test]
async fn v04_filter_missing_user() {
    let person = Person::of(&body(PERSON, "one")).await;
    let list = person
        .it
        .scim
        .get("/Users?filter=userName+eq+%22nobody%22")
        .await
        .expect(200);
    assert_eq!((&list["totalResults"], &list["Resources"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn v05_filter_user_in_another_case() {
    let person = Person::of(&body(PERSON, "one")).await;
    for name in [PERSON.to_lowercase(), "UWSKmdkgJVRX".to_owned()] {
        assert_eq!(
            only(&person.it.scim, &format!("userName eq \"{name}\"")).await["id"],
            person.id.as_str()
        );
    }
}

#[tokio::test]
async fn v06_patch_user_replace_attributes_verbose() {
    let person = Person::of(&body(PERSON, "one")).await;
    let operations = verbose("replace", "two");
    assert!(operations.len() >= 36, "{}", operations.len());
    agrees(&person.after(json!(operations)).await, &body(PERSON, "two"));
}

#[tokio::test]
async fn v07_patch_user_replace_attributes() {
    let person = Person::of(&body(PERSON, "one")).await;
    let sent = body(PERSON, "two");
    let mut operations = verbose("replace", "two");
    let mut merged = json!({});
    operations.retain(|operation| {
        let path = operation["path"].as_str().unwrap();
        if !path.contains('[') {
            merged[path] = operation["value"].clone();
        }
        path.contains('[')
    });
    operations.push(json!({"op": "replace", "value": merged}));
    agrees(&person.after(json!(operations)).await, &sent);
}

#[tokio::test]
async fn v08_update_user_user_name() {
    let person = Person::of(&body(PERSON, "one")).await;
    let after = person
        .after(json!({"op": "replace", "value": {"userName": "KSIQMOQDZYQF"}}))
        .await;
    agrees(&after, &body("KSIQMOQDZYQF", "one"));
    assert_eq!(only(&person.it.scim, "userName eq \"ksiqmoqdzyqf\"").await, after);
}

#[tokio::test]
async fn v09_disable_user() {
    let person = Person::of(&body(PERSON, "one")).await;
    let after = person
        .after(json!({"op": "replace", "path": "active", "value": false}))
        .await;
    assert_eq!(after["active"], false);
    assert_eq!(only(&person.it.scim, &format!("userName eq \"{PERSON}\"")).await, after);
}

#[tokio::test]
async fn v10_patch_user_add_attributes() {
    let person = Person::of(&json!({"schemas": [CORE, ENTERPRISE], "userName": PERSON})).await;
    let mut merged = json!({});
    for operation in verbose("add", "one") {
        merged[operation["path"].as_str().unwrap()] = operation["value"].clone();
    }
    let after = person.after(json!({"op": "add", "value": merged})).await;
    assert_eq!(after["roles"].as_array().unwrap().len(), 1);
    assert_eq!(after["name"]["givenName"], "givenName one");
    assert_eq!(after[ENTERPRISE]["department"], "department one");
}

#[tokio::test]
async fn v11_patch_user_add_attributes_verbose() {
    let person = Person::of(&json!({"schemas": [CORE, ENTERPRISE], "userName": PERSON})).await;
    agrees(&person.after(json!(verbose("add", "one"))).await, &body(PERSON, "one"));
}

/// What each shape of one step leaves of the manager, one step after the other.
async fn managers(steps: &[(&str, &str)]) {
    let shapes: [fn(&str) -> Value; 2] = [|text| json!(text), |text| json!({"value": text})];
    for shape in shapes {
        let person = Person::of(&json!({"schemas": [CORE, ENTERPRISE], "userName": PERSON})).await;
        for (op, text) in steps {
            let operation = json!({"op": op, "path": format!("{ENTERPRISE}:manager"), "value": shape(text)});
            let expected = if text.is_empty() { Value::Null } else { json!(text) };
            assert_eq!(
                person.after(operation.clone()).await[ENTERPRISE]["manager"]["value"],
                expected,
                "{operation}"
            );
        }
    }
}

#[tokio::test]
async fn v12_add_manager() {
    managers(&[("add", "one")]).await;
}

#[tokio::test]
async fn v13_replace_manager() {
    managers(&[("add", "one"), ("replace", "two")]).await;
}

#[tokio::test]
async fn v14_remove_manager() {
    managers(&[("add", "one"), ("replace", "")]).await;
}

#[tokio::test]
async fn v15_delete_a_user() {
    let person = Person::of(&body(PERSON, "one")).await;
    person.it.scim.delete(&at(&person.id)).await.expect(204);
    person.it.scim.get(&at(&person.id)).await.error(404, "");
}
