//! What stands in a query: names as they are encoded, attributes that are left out, filters of an odd form.

use serde_json::json;

use crate::deployment::{Deployment, user};
use crate::entra::{ENTERPRISE, Person, at, group_at};

#[tokio::test]
async fn q28_a_guests_name_is_decoded_once_and_compared_as_it_is() {
    let it = Deployment::start().await;
    let guest = "odile_other.example#EXT#@kestrel.example";
    it.scim.create_user(guest).await;
    it.scim.create_user("odile%23@kestrel.example").await;
    it.settled().await;
    it.platform.account(guest).await;
    for (query, found) in [
        ("userName+eq+%22odile_other.example%23EXT%23%40kestrel.example%22", 1),
        ("userName%20eq%20%22odile_other.example%23ext%23@kestrel.example%22", 1),
        (
            "userName+eq+%22odile_other.example%2523EXT%2523%40kestrel.example%22",
            0,
        ),
        ("userName+eq+%22odile_other.example%40kestrel.example%22", 0),
        ("userName+eq+%22odile%2523%40kestrel.example%22", 1),
        ("userName+eq+%22odile%23%40kestrel.example%22", 0),
    ] {
        let list = it.scim.get(&format!("/Users?filter={query}")).await.expect(200);
        assert_eq!(list["totalResults"], found, "{query}");
    }
}

#[tokio::test]
async fn q29_special_characters_in_filters_mean_themselves() {
    let it = Deployment::start().await;
    for name in [
        "a+b&c=d",
        "o'dile",
        "Jürgen Weiß",
        "小田切",
        "50% \"off\"",
        "back\\slash",
        "semi;colon, comma",
        "(paren) [x]",
    ] {
        let mut body = user(&format!("{}@kestrel.example", name.len()));
        body["displayName"] = name.into();
        let id = it.scim.create("/Users", &body).await;
        let literal = name.replace('\\', "\\\\").replace('"', "\\\"");
        let found = it.scim.find("/Users", &format!("displayName eq \"{literal}\"")).await;
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!([&found[0]["id"], &found[0]["displayName"]], [id.as_str(), name]);
        let group = it.scim.create_group::<&str>(name, &[]).await;
        let found = it.scim.find("/Groups", &format!("displayName eq \"{literal}\"")).await;
        assert_eq!(found[0]["id"], group.as_str(), "{name}");
        it.scim.delete(&at(&id)).await.expect(204);
    }
}

#[tokio::test]
async fn q43_excluded_attributes_and_no_others_are_left_out() {
    let person = Person::new().await;
    let scim = &person.it.scim;
    let group = group_at(&scim.create_group("Rack", &[&person.id]).await);
    for (path, excluded) in [
        (at(&person.id), vec!["title"]),
        (at(&person.id), vec!["userName", "emails"]),
        (at(&person.id), vec!["members"]),
        (group, vec!["members"]),
    ] {
        let mut expected = scim.get(&path).await.expect(200);
        for name in &excluded {
            expected.as_object_mut().unwrap().remove(*name);
        }
        let brief = scim
            .get(&format!("{path}?excludedAttributes={}", excluded.join(",")))
            .await
            .expect(200);
        assert_eq!(brief, expected, "{excluded:?}");
    }
    let brief = scim
        .get(&format!("{}?excludedAttributes=id,name.givenName", at(&person.id)))
        .await
        .expect(200);
    assert_eq!(brief["id"], person.id.as_str(), "the id is always there");
    assert_eq!(brief["name"], json!({"formatted": "odile", "familyName": "odile"}));
    assert_eq!(brief[ENTERPRISE]["department"], "Halls", "extensions stay");
}

#[tokio::test]
async fn q46_a_filter_that_compares_a_whole_value_means_its_value() {
    let person = Person::new().await;
    for (literal, found) in [("x", 0), ("odile@mail.example", 1)] {
        let filter = format!("emails[type eq \"work\"] eq \"{literal}\"");
        assert_eq!(person.it.scim.find("/Users", &filter).await.len(), found, "{filter}");
    }
}
