//! The protocol's rules for users: uniqueness, PUT, filters, projection, entity tags, and what changes nothing (P7).

use http::Method;
use serde_json::{Value, json};

use super::{ENTERPRISE, ODILE, at};
use crate::deployment::{Answer, Deployment, patch, user};

#[tokio::test]
async fn a_login_name_is_unique_in_any_letter_case() {
    let it = Deployment::start().await;
    let first = it.scim.create_user(ODILE).await;
    let second = it.scim.create_user("second@kestrel.example").await;
    it.settled().await;
    let (before, calls) = (it.scim.get(&at(&second)).await.text, it.platform.calls().await);
    let loud = ODILE.to_uppercase();
    for answer in [
        it.scim.post("/Users", &user(ODILE)).await,
        it.scim.post("/Users", &user(&loud)).await,
        it.scim.put(&at(&second), &user(&loud)).await,
        it.scim
            .patch(
                &at(&second),
                json!({"op": "Replace", "path": "userName", "value": loud}),
            )
            .await,
        it.scim
            .patch(
                &at(&second),
                json!([{"op": "replace", "value": {"title": "x", "userName": ODILE}}]),
            )
            .await,
    ] {
        assert!(answer.error(409, "uniqueness").contains("userName"));
    }
    it.settled().await;
    assert_eq!(it.scim.get(&at(&second)).await.text, before);
    assert_eq!(it.platform.calls().await, calls, "nothing reached the Platform");
    // One's own name in another letter case is no clash.
    it.scim
        .patch(&at(&first), json!({"op": "Replace", "path": "userName", "value": loud}))
        .await
        .expect(204);
    assert_eq!(it.scim.get(&at(&first)).await.expect(200)["userName"], loud);
    // Out of many at once exactly one gets the name.
    let race: Vec<_> = (0..20)
        .map(|n| {
            let (scim, name) = (
                it.scim.clone(),
                if n % 2 == 0 {
                    "race@kestrel.example"
                } else {
                    "RACE@kestrel.example"
                },
            );
            tokio::spawn(async move { scim.post("/Users", &user(name)).await })
        })
        .collect();
    let mut created = 0;
    for answer in race {
        let answer = answer.await.unwrap();
        created += usize::from(answer.status == 201);
        if answer.status != 201 {
            answer.error(409, "uniqueness");
        }
    }
    assert_eq!(created, 1);
    it.settled().await;
    assert_eq!(it.platform.names().await.len(), 3);
}

#[tokio::test]
async fn put_replaces_the_whole_user() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    it.settled().await;
    let read = it.scim.get(&at(&id)).await.expect(200);
    // What was read can be put back, and changes nothing.
    let answer = it.scim.put(&at(&id), &read).await;
    assert_eq!(answer.header("etag"), "W/\"1\"");
    assert_eq!(answer.expect(200), read);

    it.scim
        .patch(&at(&id), json!({"op": "Replace", "path": "active", "value": "False"}))
        .await
        .expect(204);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "00000000-0000-4000-8000-000000000000",
        "userName": ODILE,
        "displayName": "Only this",
        "meta": {"version": "W/\"99\""},
    });
    let put = it.scim.put(&at(&id), &body).await.expect(200);
    assert_eq!(put["id"], id.as_str());
    let mut names: Vec<_> = put.as_object().unwrap().keys().cloned().collect();
    names.sort_unstable();
    assert_eq!(names, ["active", "displayName", "id", "meta", "schemas", "userName"]);
    assert_eq!(put["active"], false, "silence lets nobody in again");
    assert_eq!(put["meta"]["created"], read["meta"]["created"]);
    it.settled().await;
    let account = it.platform.account(ODILE).await;
    assert_eq!(
        [
            &account["DisplayName"],
            &account["Mail"],
            &account["OfficeNumber"],
            &account["State"]
        ],
        ["Only this", ODILE, "", "Disabled"]
    );
    let nameless = it.scim.put(&at(&id), &json!({"displayName": "x"})).await;
    assert!(nameless.error(400, "invalidValue").contains("userName"));
    it.scim
        .put("/Users/00000000-0000-4000-8000-000000000000", &user("a@b.example"))
        .await
        .error(404, "");
}

#[tokio::test]
async fn entras_filters_find_whom_they_mean() {
    let it = Deployment::start().await;
    let boss = it.scim.create_user("boss@kestrel.example").await;
    let id = it.scim.create_user("o'dile+x&y@kestrel.example").await;
    it.scim
        .patch(&at(&id), json!({"op": "Add", "path": "manager", "value": boss}))
        .await
        .expect(204);
    let one = [&*id];
    let none: [&str; 0] = [];
    let both = [&*boss, &*id];
    let table: [(String, &[&str]); 21] = [
        ("userName eq \"o'dile+x&y@kestrel.example\"".into(), &one),
        ("USERNAME EQ \"O'DILE+X&Y@KESTREL.EXAMPLE\"".into(), &one),
        ("userName eq \"nobody@kestrel.example\"".into(), &none),
        ("externalId eq \"o'dile+x&y\"".into(), &one),
        (
            "emails[type eq \"work\"].value eq \"O'dile+x&y@mail.example\"".into(),
            &one,
        ),
        ("emails.value eq \"boss@mail.example\"".into(), &[&boss]),
        (format!("{ENTERPRISE}:employeeNumber eq \"K-0417\""), &both),
        (
            "active eq true and userName eq \"boss@kestrel.example\"".into(),
            &[&boss],
        ),
        ("active eq \"True\"".into(), &both),
        ("active eq false".into(), &none),
        (format!("id eq \"{id}\" and manager eq \"{boss}\""), &one),
        (format!("manager.value eq \"{boss}\" and id eq {id}"), &one),
        (format!("{ENTERPRISE}:manager.value eq \"{boss}\""), &one),
        (format!("id eq \"{boss}\" and manager eq \"{boss}\""), &none),
        (format!("id eq \"{}\"", id.to_uppercase()), &one),
        ("userName sw \"o'\" or displayName co \"BOSS\"".into(), &both),
        ("not (userName sw \"o'\") and title pr".into(), &[&boss]),
        ("meta.created gt \"2020-01-01T00:00:00Z\"".into(), &both),
        ("userName eq \"quote \\\" and \\\\ slash\"".into(), &none),
        (
            "urn:ietf:params:scim:schemas:core:2.0:User:userName eq \"boss@kestrel.example\"".into(),
            &[&boss],
        ),
        ("nickName pr".into(), &none),
    ];
    for (filter, expected) in table {
        let found = it.scim.find("/Users", &filter).await;
        let ids: Vec<_> = found.iter().map(|user| user["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{filter}");
    }
    // R06 asks for the id alone; Q37 and Q36 come along.
    let query = format!("/Users/?attributes=id&filter=id+eq+%22{id}%22+and+manager+eq+%22{boss}%22&aadOptscim062020");
    let list = it.scim.get(&query).await.expect(200);
    assert_eq!(
        list["Resources"],
        json!([{"schemas": list["Resources"][0]["schemas"], "id": id}])
    );
    assert_eq!(
        list["schemas"],
        json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"])
    );
    assert_eq!(
        [&list["totalResults"], &list["startIndex"], &list["itemsPerPage"]],
        [1, 1, 1]
    );
}

#[tokio::test]
async fn lists_page_in_the_order_of_creation() {
    let it = Deployment::start().await;
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(it.scim.create_user(&format!("user{n:02}@kestrel.example")).await);
    }
    let mut seen = Vec::new();
    for start in [1, 6, 11, 16] {
        let page = it
            .scim
            .get(&format!("/Users?startIndex={start}&count=5&excludedAttributes=emails"))
            .await
            .expect(200);
        assert_eq!([&page["totalResults"], &page["startIndex"]], [12, start]);
        let resources = page["Resources"].as_array().unwrap();
        assert_eq!(page["itemsPerPage"], resources.len());
        assert!(
            resources
                .iter()
                .all(|user| user.get("emails").is_none() && user.get(ENTERPRISE).is_some())
        );
        seen.extend(resources.iter().map(|user| user["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen, ids);
    let none = it.scim.get("/Users?count=0").await.expect(200);
    assert_eq!((&none["totalResults"], &none["Resources"]), (&json!(12), &json!([])));
}

#[tokio::test]
async fn entity_tags_guard_reads_and_writes() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    let group = it.scim.create_group("Rack Operators", &[&id]).await;
    for (path, change) in [
        (
            format!("/Groups/{group}"),
            json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")}),
        ),
        (at(&id), json!({"op": "replace", "path": "title", "value": "1"})),
    ] {
        let conditional = async |method: Method, header: &str, tag: &str, body: Value| {
            Answer::of(
                it.scim
                    .request(method, &path)
                    .header(header, tag)
                    .body(body.to_string()),
            )
            .await
        };
        let tag = it.scim.get(&path).await.header("etag").to_owned();
        assert_eq!(tag, "W/\"1\"");
        // A version does not tell of `groups`; without them it tells of everything.
        let url = format!("{path}?excludedAttributes=groups");
        let known = Answer::of(it.scim.request(Method::GET, &url).header("if-none-match", &tag)).await;
        assert_eq!(
            (known.status.as_u16(), known.text.as_str(), known.header("etag")),
            (304, "", &*tag)
        );

        let body = patch(change.clone());
        for stale in ["W/\"0\"", "W/\"2\"", "\"never issued\""] {
            conditional(Method::PATCH, "if-match", stale, body.clone())
                .await
                .error(412, "");
            conditional(Method::DELETE, "if-match", stale, json!(null))
                .await
                .error(412, "");
            let whole = it.scim.get(&path).await.expect(200);
            conditional(Method::PUT, "if-match", stale, whole).await.error(412, "");
        }
        assert_eq!(it.scim.get(&path).await.header("etag"), tag, "nothing was changed");
        let changed = conditional(Method::PATCH, "if-match", &tag, body.clone()).await;
        assert_eq!((changed.status.as_u16(), changed.header("etag")), (204, "W/\"2\""));
        conditional(Method::PATCH, "if-match", &tag, body).await.error(412, "");
        let fresh = conditional(Method::GET, "if-none-match", &tag, json!(null)).await;
        assert_eq!((fresh.status.as_u16(), fresh.header("etag")), (200, "W/\"2\""));
        conditional(Method::DELETE, "if-match", "*", json!(null))
            .await
            .expect(204);
        it.scim.get(&path).await.error(404, "");
    }
}

#[tokio::test]
async fn what_changes_nothing_writes_nothing_and_calls_nothing() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    it.settled().await;
    let (before, calls) = (it.scim.get(&at(&id)).await, it.platform.calls().await);
    let same = [
        json!([]),
        json!({"op": "Replace", "path": "displayName", "value": "The person odile"}),
        json!({"op": "Add", "path": "active", "value": "True"}),
        json!({"op": "replace", "value": {"name.familyName": "odile", "title": "Rack technician"}}),
        json!({"op": "Add", "path": "emails", "value": [{"type": "work", "value": "odile@mail.example", "primary": true}]}),
        json!({"op": "Replace", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "5145550118"}),
        json!({"op": "Remove", "path": "nickName"}),
        json!({"op": "Replace", "path": "manager", "value": ""}),
        json!({"op": "replace", "value": {"id": "another", "meta": {"version": "W/\"9\""}, "schemas": []}}),
        json!([
            {"op": "replace", "path": "title", "value": "there"},
            {"op": "replace", "path": "title", "value": "Rack technician"},
        ]),
    ];
    for operations in same {
        let answer = it.scim.patch(&at(&id), operations.clone()).await;
        assert_eq!(answer.header("etag"), "W/\"1\"", "{operations}");
        answer.expect(204);
    }
    it.scim.put(&at(&id), &user(ODILE)).await.expect(200);
    it.settled().await;
    assert_eq!(it.scim.get(&at(&id)).await.text, before.text);
    assert_eq!(it.platform.calls().await, calls);
    // With a type in `Accept`, a PATCH is answered with the resource.
    let body = patch(json!({"op": "Replace", "path": "title", "value": "Lead"}));
    let request = it
        .scim
        .request(Method::PATCH, &at(&id))
        .header("accept", "application/scim+json");
    let answer = Answer::of(request.body(body.to_string())).await.expect(200);
    assert_eq!([&answer["title"], &answer["meta"]["version"]], ["Lead", "W/\"2\""]);
}

#[tokio::test]
async fn removing_active_leaves_the_account_as_it_was() {
    let it = Deployment::start().await;
    for (name, active, state) in [
        ("leaver@kestrel.example", false, "Disabled"),
        ("stayer@kestrel.example", true, "None"),
    ] {
        let id = it.scim.create_user(name).await;
        it.settled().await;
        // The removal must not overtake what it removes: nothing is delivered between the two.
        for change in [
            json!({"op": "replace", "path": "active", "value": active}),
            json!({"op": "remove", "path": "active"}),
        ] {
            it.scim.patch(&at(&id), change).await.expect(204);
        }
        assert_eq!(it.scim.get(&at(&id)).await.expect(200).get("active"), None);
        it.settled().await;
        assert_eq!(it.platform.account(name).await["State"], state);
    }
}
