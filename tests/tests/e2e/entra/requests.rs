//! The requests that Entra makes, R01 to R06: the test of a connection, discovery, and finding who is there already.

mod engine;
mod references;
mod writes;

use serde_json::{Value, json};

use super::{CORE, ENTERPRISE, ODILE, Person, at, group_at};
use crate::deployment::{Deployment, encoded, user};

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const RACK: &str = "Rack Operators";

#[tokio::test]
async fn r01_the_connection_test_finds_nobody_and_gets_an_empty_list() {
    let it = Deployment::start().await;
    let random = "b7be0f0e-5a55-4f0c-9a27-1f0e2c6f4d11";
    let mut queries: Vec<_> = ["userName", "externalId", "emails[type eq \"work\"].value"]
        .iter()
        .map(|attribute| format!("/Users?filter={}", encoded(&format!("{attribute} eq \"{random}\""))))
        .collect();
    queries.push(format!(
        "/Groups?excludedAttributes=members&filter=displayName+eq+%22{random}%22"
    ));
    queries.push(format!("/Users?filter=userName%20eq%20%22{random}%22"));
    for query in queries {
        let list = it.scim.get(&query).await.expect(200);
        let expected = json!({
            "schemas": [LIST], "totalResults": 0, "Resources": [], "startIndex": 1, "itemsPerPage": 0,
        });
        assert_eq!(list, expected, "{query}");
        it.scim.with_token("another").get(&query).await.error(401, "");
    }
    assert_eq!(it.platform.calls().await, 0, "the Platform is not asked for it");
}

#[tokio::test]
async fn r02_discovery_has_no_nulls_and_each_document_stands_at_its_own_address() {
    let it = Deployment::start().await;
    for (path, key) in [("/Schemas", "id"), ("/ResourceTypes", "name")] {
        let list = it.scim.get(path).await.expect(200);
        assert_eq!(list["schemas"], json!([LIST]));
        let documents = list["Resources"].as_array().unwrap();
        assert_eq!(list["totalResults"], documents.len());
        for document in documents {
            let one = format!("{path}/{}", document[key].as_str().unwrap());
            assert_eq!(&it.scim.get(&one).await.expect(200), document);
            assert!(document["meta"]["location"].as_str().unwrap().ends_with(&one));
        }
        assert!(!list.to_string().contains("null"), "{path}");
    }
    let schemas = it.scim.get("/Schemas").await.expect(200);
    for name in [
        "multiValued",
        "mutability",
        "caseExact",
        "returned",
        "uniqueness",
        "subAttributes",
    ] {
        assert!(schemas.to_string().contains(name), "{name} is written so");
    }
    let config = it.scim.get("/ServiceProviderConfig").await.expect(200);
    assert_eq!(
        [&config["patch"]["supported"], &config["filter"]["supported"]],
        [true, true]
    );
    assert!(!config.to_string().contains("null"));
}

#[tokio::test]
async fn r03_a_user_is_matched_by_whatever_attribute_was_chosen() {
    let person = Person::new().await;
    let other = person.it.scim.create_user("other@kestrel.example").await;
    let scim = &person.it.scim;
    let employee = format!("{ENTERPRISE}:employeeNumber eq \"K-0417\"");
    for (filter, expected) in [
        ("userName eq \"odile@kestrel.example\"", vec![&person.id]),
        ("userName eq \"ODILE@KESTREL.EXAMPLE\"", vec![&person.id]),
        ("externalId eq \"odile\"", vec![&person.id]),
        (
            "emails[type eq \"work\"].value eq \"Odile@mail.example\"",
            vec![&person.id],
        ),
        ("displayName eq \"THE person odile\"", vec![&person.id]),
        (
            "userName eq \"odile@kestrel.example\" and active eq true",
            vec![&person.id],
        ),
        // More than one: Entra must see that, and then touches neither.
        (&employee, vec![&person.id, &other]),
        ("userName eq \"nobody@kestrel.example\"", vec![]),
    ] {
        let found = scim.find("/Users", filter).await;
        let found: Vec<_> = found.iter().map(|user| user["id"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{filter}");
    }
    // Who is inactive is found, and shown so.
    person
        .patch(json!({"op": "Replace", "path": "active", "value": "False"}))
        .await
        .expect(204);
    let found = scim.find("/Users", "userName eq \"odile@kestrel.example\"").await;
    assert_eq!(
        [&found[0]["id"], &found[0]["active"]],
        [&json!(person.id), &json!(false)]
    );
    // An attribute that there is not matches nobody by error, and not everybody.
    let unknown = scim.get("/Users?filter=shoeSize+eq+%2244%22").await;
    assert!(unknown.error(400, "invalidFilter").contains("shoeSize"));
}

#[tokio::test]
async fn r04_a_group_is_matched_without_its_members() {
    let person = Person::new().await;
    let scim = &person.it.scim;
    let id = scim.create_group(RACK, &[&person.id]).await;
    for query in [
        "/Groups?excludedAttributes=members&filter=displayName+eq+%22Rack+Operators%22",
        "/Groups?filter=displayName+eq+%22rack+OPERATORS%22&excludedAttributes=members",
        "/Groups?excludedAttributes=members&filter=externalId+eq+%22external+id+of+Rack+Operators%22",
    ] {
        let list = scim.get(query).await.expect(200);
        assert_eq!(list["totalResults"], 1, "{query}");
        let found = &list["Resources"][0];
        assert_eq!([&found["id"], &found["displayName"]], [&json!(id), &json!(RACK)]);
        assert_eq!(found.get("members"), None, "{query}");
    }
}

#[tokio::test]
async fn r05_what_is_known_is_read_by_its_id_and_404_once_it_is_deleted() {
    let person = Person::new().await;
    let scim = &person.it.scim;
    let group = group_at(&scim.create_group(RACK, &[&person.id]).await);
    assert_eq!(person.read().await["userName"], ODILE);
    let brief = scim
        .get(&format!("{group}?excludedAttributes=members"))
        .await
        .expect(200);
    assert_eq!((&brief["displayName"], brief.get("members")), (&json!(RACK), None));
    assert_eq!(
        scim.get(&group).await.expect(200)["members"][0]["value"],
        person.id.as_str()
    );
    for path in [at(&person.id), group] {
        scim.delete(&path).await.expect(204);
        scim.get(&path).await.error(404, "");
        scim.get(&format!("{path}?excludedAttributes=members"))
            .await
            .error(404, "");
    }
}

#[tokio::test]
async fn r06_a_reference_is_checked_by_a_filter_and_answered_with_the_id_alone() {
    let person = Person::new().await;
    let scim = &person.it.scim;
    let (boss, report) = (scim.create_user("boss@kestrel.example").await, &person.id);
    let set = json!({"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": boss});
    person.patch(set).await.expect(204);
    let id = scim.create_group(RACK, &[report]).await;
    let mut table = Vec::new();
    for manager in [
        "manager",
        "manager.value",
        &format!("{ENTERPRISE}:manager"),
        &format!("{ENTERPRISE}:manager.value"),
    ] {
        table.push((
            "/Users",
            format!("id eq \"{report}\" and {manager} eq \"{boss}\""),
            Some((report, CORE)),
        ));
        table.push((
            "/Users",
            format!("{manager} eq {boss} and id eq {report}"),
            Some((report, CORE)),
        ));
        table.push(("/Users", format!("id eq \"{boss}\" and {manager} eq \"{boss}\""), None));
    }
    let urn = "urn:ietf:params:scim:schemas:core:2.0:Group";
    for members in ["members eq \"@\"", "members.value eq \"@\"", "members[value eq \"@\"]"] {
        let there = members.replace('@', report);
        table.push(("/Groups", format!("id eq \"{id}\" and {there}"), Some((&id, urn))));
        table.push(("/Groups", format!("{there} and id eq \"{id}\""), Some((&id, urn))));
        table.push((
            "/Groups",
            format!("id eq \"{id}\" and {}", members.replace('@', &boss)),
            None,
        ));
    }
    for (endpoint, filter, expected) in table {
        let query = format!("{endpoint}?filter={}&attributes=id", encoded(&filter));
        let list = scim.get(&query).await.expect(200);
        let found: Vec<Value> = list["Resources"].as_array().unwrap().clone();
        let Some((id, urn)) = expected else {
            assert!(found.is_empty(), "{filter}: {found:?}");
            continue;
        };
        assert_eq!(found.len(), 1, "{filter}");
        assert_eq!(found[0]["id"], id.as_str(), "{filter}");
        assert!(
            found[0]["schemas"].as_array().unwrap().contains(&json!(urn)),
            "{filter}"
        );
        assert_eq!(found[0].as_object().unwrap().len(), 2, "{filter}: {}", found[0]);
    }
    // The same for someone whom nothing is said about.
    scim.create("/Users", &user("third@kestrel.example")).await;
    assert_eq!(scim.find("/Users", &format!("manager eq \"{boss}\"")).await.len(), 1);
}
