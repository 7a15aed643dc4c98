//! Okta: looks a name up, creates, and from then on sends whole profiles by PUT; groups are pushed, then patched by
//! member. It names a SCIM type in `Accept`, so that a PATCH is answered with the resource.

use http::Method;
use serde_json::{Value, json};

use crate::deployment::{Answer, Deployment, encoded, patch};
use crate::entra::{CORE, at, group_at};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ODILE: &str = "odile@kestrel.example";
const HEADERS: [(&str, &str); 3] = [
    ("accept", "application/scim+json"),
    ("user-agent", "Okta SCIM Client 1.0.0"),
    ("content-type", "application/scim+json; charset=utf-8"),
];

async fn send(it: &Deployment, method: Method, path: &str, body: Value) -> Answer {
    let mut request = it.scim.request(method, path);
    for (name, value) in HEADERS {
        request = request.header(name, value);
    }
    Answer::of(if body.is_null() {
        request
    } else {
        request.body(body.to_string())
    })
    .await
}

/// The look-up that stands before each create; blanks are `%20`.
async fn look_up(it: &Deployment, endpoint: &str, filter: &str) -> Value {
    let filter = encoded(filter).replace('+', "%20");
    let list = it
        .scim
        .get(&format!("{endpoint}?filter={filter}&startIndex=1&count=100"))
        .await
        .expect(200);
    assert_eq!(
        list["schemas"],
        json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"])
    );
    list
}

fn profile(name: &str) -> Value {
    json!({
        "schemas": [CORE], "userName": name, "name": {"givenName": "Odile", "familyName": "Marchetti"},
        "emails": [{"primary": true, "value": name, "type": "work"}], "displayName": "Odile Marchetti", "locale": "en-US",
        "externalId": "00ujl29u0le5T6Aj10h7", "groups": [], "password": "1mz050nq", "active": true,
    })
}

async fn provision(it: &Deployment, name: &str) -> String {
    assert_eq!(
        look_up(it, "/Users", &format!("userName eq \"{name}\"")).await["totalResults"],
        0
    );
    let created = send(it, Method::POST, "/Users", profile(name)).await.expect(201);
    assert_eq!(created.get("password"), None, "a password never comes back");
    created["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_user_is_looked_up_created_and_updated_by_put() {
    let it = Deployment::start().await;
    let id = provision(&it, ODILE).await;
    let found = look_up(&it, "/Users", &format!("userName eq \"{ODILE}\"")).await;
    assert_eq!(
        (&found["totalResults"], &found["Resources"][0]["id"]),
        (&json!(1), &json!(id))
    );
    // Read, change, write back whole.
    let mut whole = send(&it, Method::GET, &at(&id), Value::Null).await.expect(200);
    whole["displayName"] = "Odile Roy".into();
    whole["name"]["familyName"] = "Roy".into();
    whole["phoneNumbers"] = json!([{"type": "mobile", "value": "5145550118", "primary": true}]);
    let put = send(&it, Method::PUT, &at(&id), whole.clone()).await.expect(200);
    assert_eq!(
        [&put["displayName"], &put["name"]],
        [&json!("Odile Roy"), &whole["name"]]
    );
    it.settled().await;
    let account = it.platform.account(ODILE).await;
    assert_eq!(
        [&account["DisplayName"], &account["MobileNumber"]],
        ["Odile Roy", "5145550118"]
    );
    // A profile that no longer has a number takes it away.
    whole.as_object_mut().unwrap().remove("phoneNumbers");
    whole["groups"] = json!([]);
    send(&it, Method::PUT, &at(&id), whole).await.expect(200);
    it.settled().await;
    assert_eq!(it.platform.account(ODILE).await["MobileNumber"], "");
    send(&it, Method::POST, "/Users", profile(ODILE))
        .await
        .error(409, "uniqueness");
}

#[tokio::test]
async fn a_user_is_deactivated_and_activated_by_put_and_by_patch() {
    let it = Deployment::start().await;
    let id = provision(&it, ODILE).await;
    let group = it.scim.create_group("Rack", &[&id]).await;
    for by_patch in [false, true] {
        for (active, state) in [(false, "Disabled"), (true, "None")] {
            let answer = if by_patch {
                let change = patch(json!({"op": "replace", "value": {"active": active}}));
                send(&it, Method::PATCH, &at(&id), change).await
            } else {
                let mut whole = send(&it, Method::GET, &at(&id), Value::Null).await.expect(200);
                whole["active"] = active.into();
                send(&it, Method::PUT, &at(&id), whole).await
            };
            let answer = answer.expect(200);
            assert_eq!(
                [&answer["active"], &answer["userName"]],
                [&json!(active), &json!(ODILE)]
            );
            it.settled().await;
            assert_eq!(it.platform.account(ODILE).await["State"], state);
        }
    }
    let members = it.scim.get(&group_at(&group)).await.expect(200)["members"].clone();
    assert_eq!(members[0]["value"], id.as_str());
}

#[tokio::test]
async fn a_group_is_pushed_renamed_and_its_members_patched() {
    let it = Deployment::start().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(provision(&it, &format!("user{n}@kestrel.example")).await);
    }
    assert_eq!(
        look_up(&it, "/Groups", "displayName eq \"Rack\"").await["totalResults"],
        0
    );
    let body = json!({"schemas": [GROUP], "displayName": "Rack", "members": [{"value": ids[0], "display": "user0@kestrel.example"}]});
    let created = send(&it, Method::POST, "/Groups", body).await.expect(201);
    let id = created["id"].as_str().unwrap();
    let members = async |name: &str| {
        it.settled().await;
        it.platform
            .members(name)
            .await
            .into_iter()
            .map(|name| name[4..5].parse().unwrap())
            .collect::<Vec<usize>>()
    };
    assert_eq!(members("Rack").await, [0]);
    let rename = json!({"op": "replace", "value": {"id": id, "displayName": "Rack East"}});
    let answer = send(&it, Method::PATCH, &group_at(id), patch(rename)).await.expect(200);
    assert_eq!([&answer["displayName"], &answer["id"]], ["Rack East", id]);
    assert_eq!(members("Rack East").await, [0]);
    for (operations, expected) in [
        (
            json!([{"op": "add", "path": "members", "value": [{"value": ids[1], "display": "user1@kestrel.example"}]}]),
            vec![0, 1],
        ),
        (
            json!([
                {"op": "remove", "path": format!("members[value eq \"{}\"]", ids[0])},
                {"op": "add", "path": "members", "value": [{"value": ids[2], "display": "x"}]},
            ]),
            vec![1, 2],
        ),
        (
            json!([{"op": "replace", "path": "members", "value": [{"value": ids[0], "display": "x"}]}]),
            vec![0],
        ),
    ] {
        let answer = send(&it, Method::PATCH, &group_at(id), patch(operations.clone()))
            .await
            .expect(200);
        assert_eq!(answer["members"].as_array().unwrap().len(), expected.len());
        assert_eq!(members("Rack East").await, expected, "{operations}");
    }
    let whole = json!({
        "schemas": [GROUP], "id": id, "displayName": "Rack West",
        "members": [{"value": ids[1], "display": "x"}, {"value": ids[2], "display": "y"}],
    });
    let put = send(&it, Method::PUT, &group_at(id), whole).await.expect(200);
    assert_eq!(put["displayName"], "Rack West");
    assert_eq!(members("Rack West").await, [1, 2]);
    send(&it, Method::DELETE, &group_at(id), Value::Null).await.expect(204);
    it.settled().await;
    assert!(it.platform.group_names().await.is_empty());
}

#[tokio::test]
async fn everything_is_imported_page_by_page() {
    let it = Deployment::start().await;
    for n in 0..7 {
        it.scim.create_user(&format!("user{n}@kestrel.example")).await;
        it.scim.create_group::<&str>(&format!("Group {n}"), &[]).await;
    }
    for (endpoint, key) in [("/Users", "userName"), ("/Groups", "displayName")] {
        // The test of the connection asks for one.
        let one = send(
            &it,
            Method::GET,
            &format!("{endpoint}?startIndex=1&count=1"),
            Value::Null,
        )
        .await
        .expect(200);
        assert_eq!([&one["itemsPerPage"], &one["totalResults"]], [1, 7]);
        let (mut start, mut names) = (1, Vec::new());
        while start <= 7 {
            let page = send(
                &it,
                Method::GET,
                &format!("{endpoint}?startIndex={start}&count=3"),
                Value::Null,
            )
            .await
            .expect(200);
            assert_eq!([&page["startIndex"], &page["totalResults"]], [start, 7]);
            let found = page["Resources"].as_array().unwrap();
            names.extend(found.iter().map(|resource| resource[key].as_str().unwrap().to_owned()));
            start += found.len();
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 7, "{endpoint}");
    }
}
