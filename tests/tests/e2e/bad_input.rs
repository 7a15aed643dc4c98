//! What clients must not send: each is a 4xx with a SCIM error that names the place, changes nothing, neither in SCIM nor
//! on the Platform, and leaves the server alive.

use http::Method;
use serde_json::{Value, json};

use crate::deployment::{Answer, Deployment, group, patch, user};

const ODILE: &str = "odile@kestrel.example";
const RACK: &str = "Rack Operators";
const NOBODY: &str = "00000000-0000-4000-8000-00000000abcd";

/// A deployment with a user and a group, all delivered, and what it looked like.
struct Guarded {
    it: Deployment,
    user: String,
    group: String,
    before: Picture,
}

/// All that a client could change.
#[derive(Debug, PartialEq)]
struct Picture {
    users: String,
    groups: String,
    calls: u64,
    platform: [Value; 2],
}

impl Picture {
    async fn of(it: &Deployment) -> Self {
        it.settled().await;
        let state = it.platform.state().await;
        Self {
            users: it.scim.get("/Users").await.text,
            groups: it.scim.get("/Groups").await.text,
            calls: it.platform.calls().await,
            platform: [state["users"].clone(), state["groups"].clone()],
        }
    }
}

impl Guarded {
    async fn start() -> Self {
        let it = Deployment::start().await;
        let user = it.scim.create_user(ODILE).await;
        let group = it.scim.create_group(RACK, &[&user]).await;
        let before = Picture::of(&it).await;
        Self {
            user: format!("/Users/{user}"),
            group: format!("/Groups/{group}"),
            it,
            before,
        }
    }

    /// Sends each; every answer must have this status and `scimType`, and its detail the text.
    async fn refuses(&self, cases: Vec<(Method, &str, String, u16, &str, &str)>) {
        for (method, path, body, status, scim_type, named) in cases {
            let shown: String = body.chars().take(120).collect();
            let answer = self.it.scim.raw(method.clone(), path, body).await;
            assert_eq!(answer.status, status, "{method} {path} {shown}: {}", answer.text);
            let detail = answer.error(status, scim_type);
            assert!(
                detail.contains(named),
                "{method} {path} {shown}: {detail:?} does not say {named:?}"
            );
        }
        self.unchanged().await;
    }

    async fn unchanged(&self) {
        assert_eq!(Picture::of(&self.it).await, self.before);
    }
}

/// A PATCH body of one operation.
fn one(operation: Value) -> String {
    patch(operation).to_string()
}

#[tokio::test]
async fn bodies_that_are_no_json() {
    let it = Guarded::start().await;
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let nested = |n: usize| r#"{"a":"#.repeat(n) + "1" + &"}".repeat(n);
    let bodies = [
        (String::new(), "empty"),
        (" \r\n\t".to_owned(), "empty"),
        ("{".to_owned(), "line 1 column"),
        ("{\"userName\":\n\"a@b.example\",}".to_owned(), "line 2 column"),
        ("userName=a%40b.example&active=true".to_owned(), "line 1 column 1"),
        ("{\"userName\":\"a@b.example\"} {}".to_owned(), "line 1 column"),
        (
            "{\"userName\":\"a@b.example\",\"userName\":\"c@d.example\"}".to_owned(),
            "userName",
        ),
        ("{\"userName\":\"a\u{0}b\"}".to_owned(), "line 1 column"),
        ("{\"userName\":1e999}".to_owned(), "line 1 column"),
        ("{\"userName\":\"\\ud800\"}".to_owned(), "line 1 column"),
        ("<user/>".to_owned(), "line 1 column"),
        ("NaN".to_owned(), "line 1 column"),
        (deep(10_000), "line 1 column"),
        (nested(10_000), "line 1 column"),
        (
            format!("{{\"userName\":\"a@b.example\",\"x\":{}}}", deep(10_000)),
            "line 1 column",
        ),
    ];
    let mut cases = Vec::new();
    for (body, named) in bodies {
        for (method, path) in [
            (Method::POST, "/Users"),
            (Method::PUT, &it.user),
            (Method::PATCH, &it.user),
            (Method::POST, "/Groups"),
            (Method::PATCH, &it.group),
        ] {
            cases.push((method, path, body.clone(), 400, "invalidSyntax", named));
        }
    }
    it.refuses(cases).await;
    let bytes = it
        .it
        .scim
        .raw(Method::POST, "/Users", b"{\"userName\":\"\xff\xfe\"}".to_vec())
        .await;
    assert!(bytes.error(400, "invalidSyntax").contains("UTF-8"));
    it.unchanged().await;
}

#[tokio::test]
async fn resources_of_the_wrong_shape() {
    let it = Guarded::start().await;
    let with = |name: &str, value: Value| {
        let mut body = user("new@kestrel.example");
        body[name] = value;
        body.to_string()
    };
    let long = "x".repeat(200_000);
    let mut cases = Vec::new();
    for (body, scim_type, named) in [
        ("[]".to_owned(), "invalidSyntax", ""),
        ("\"text\"".to_owned(), "invalidSyntax", ""),
        ("null".to_owned(), "invalidSyntax", ""),
        ("{}".to_owned(), "invalidValue", "userName"),
        (with("userName", json!(null)), "invalidValue", "userName"),
        (with("userName", json!("")), "invalidValue", "userName"),
        (with("userName", json!({"a": 1})), "invalidValue", "userName"),
        (with("userName", json!(["a", "b"])), "invalidValue", "userName"),
        (with("userName", json!(long)), "invalidValue", "userName"),
        (with("active", json!("perhaps")), "invalidValue", "active"),
        (with("active", json!({})), "invalidValue", "active"),
        (with("name", json!("Odile")), "invalidValue", "name"),
        (
            with("name", json!({"familyName": ["a", "b"]})),
            "invalidValue",
            "name.familyName",
        ),
        (with("displayName", json!({"x": 1})), "invalidValue", "displayName"),
        (with("emails", json!([[1]])), "invalidValue", "emails"),
        (
            with("emails", json!([{"value": {"x": 1}}])),
            "invalidValue",
            "emails.value",
        ),
        (
            with("emails", json!([{"type": "work", "value": "a", "primary": "maybe"}])),
            "invalidValue",
            "emails.primary",
        ),
    ] {
        cases.push((Method::POST, "/Users", body.clone(), 400, scim_type, named));
        cases.push((Method::PUT, &it.user, body, 400, scim_type, named));
    }
    for (body, scim_type, named) in [
        ("7".to_owned(), "invalidSyntax", ""),
        ("{}".to_owned(), "invalidValue", "displayName"),
        (json!({"displayName": ""}).to_string(), "invalidValue", "displayName"),
        (
            json!({"displayName": {"a": 1}}).to_string(),
            "invalidValue",
            "displayName",
        ),
        (
            json!({"displayName": "New", "members": [{"value": {"a": 1}}]}).to_string(),
            "invalidValue",
            "members.value",
        ),
        (group("New", &[NOBODY]).to_string(), "invalidValue", NOBODY),
        (group("New", &["no id"]).to_string(), "invalidValue", "no id"),
    ] {
        cases.push((Method::POST, "/Groups", body.clone(), 400, scim_type, named));
        cases.push((Method::PUT, &it.group, body, 400, scim_type, named));
    }
    it.refuses(cases).await;
}

#[tokio::test]
async fn patches_that_cannot_be_meant() {
    let it = Guarded::start().await;
    let valid = json!({"op": "Replace", "path": "displayName", "value": "Must not be"});
    let deep = format!("{}userName eq \"x\"{}", "(".repeat(10_000), ")".repeat(10_000));
    let mut cases = vec![
        (Method::PATCH, &*it.user, "[]".to_owned(), 400, "invalidSyntax", ""),
        (
            Method::PATCH,
            &it.user,
            "{}".to_owned(),
            400,
            "invalidSyntax",
            "Operations",
        ),
        (
            Method::PATCH,
            &it.user,
            json!({"Operations": {}}).to_string(),
            400,
            "invalidSyntax",
            "Operations",
        ),
        (
            Method::PATCH,
            &it.user,
            json!({"Operations": "add"}).to_string(),
            400,
            "invalidSyntax",
            "Operations",
        ),
        (
            Method::PATCH,
            &it.user,
            json!({"Operations": [7]}).to_string(),
            400,
            "invalidSyntax",
            "operation 1",
        ),
    ];
    for (operation, scim_type, named) in [
        (json!({"path": "title", "value": "x"}), "invalidSyntax", "op"),
        (
            json!({"op": "move", "path": "title", "value": "x"}),
            "invalidSyntax",
            "op",
        ),
        (json!({"op": 7, "path": "title"}), "invalidSyntax", "op"),
        (json!({"op": "add", "path": 7, "value": "x"}), "invalidSyntax", "path"),
        (json!({"op": "add", "path": "title"}), "invalid", "title"),
        (json!({"op": "add"}), "invalid", "operation 2"),
        (json!({"op": "remove"}), "noTarget", "path"),
        (json!({"op": "add", "value": "text"}), "invalid", ""),
        (json!({"op": "replace", "path": "", "value": "x"}), "invalidSyntax", ""),
        (
            json!({"op": "replace", "path": "emails[", "value": "x"}),
            "invalidPath",
            "position",
        ),
        (
            json!({"op": "replace", "path": "emails[type eq]", "value": "x"}),
            "invalidPath",
            "position",
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"work\"].value.x", "value": "x"}),
            "invalidPath",
            "",
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"work", "value": "x"}),
            "invalidPath",
            "position",
        ),
        (
            json!({"op": "replace", "path": format!("emails[{deep}]"), "value": "x"}),
            "invalidPath",
            "",
        ),
        (
            json!({"op": "replace", "path": "name.familyName.more", "value": "x"}),
            "invalidPath",
            "",
        ),
        (
            json!({"op": "replace", "path": "title\u{0}", "value": "x"}),
            "invalidPath",
            "",
        ),
        (
            json!({"op": "replace", "path": "displayName", "value": {"a": 1}}),
            "invalidValue",
            "displayName",
        ),
        (
            json!({"op": "replace", "path": "active", "value": "perhaps"}),
            "invalidValue",
            "active",
        ),
        (
            json!({"op": "replace", "path": "userName", "value": ""}),
            "invalidValue",
            "userName",
        ),
        (json!({"op": "remove", "path": "userName"}), "invalidValue", "userName"),
        (
            json!({"op": "replace", "value": {"userName": null}}),
            "invalidValue",
            "userName",
        ),
        (
            json!({"op": "replace", "path": "name", "value": "Odile"}),
            "invalidValue",
            "name",
        ),
        (
            json!({"op": "replace", "value": {"name": {"familyName": {"x": 1}}}}),
            "invalidValue",
            "name.familyName",
        ),
        (
            json!({"op": "replace", "path": "displayName", "value": "x".repeat(200_000)}),
            "invalidValue",
            "displayName",
        ),
    ] {
        // All or nothing (Q40): the operation before it is not done either.
        cases.push((
            Method::PATCH,
            &it.user,
            one(json!([valid, operation])),
            400,
            scim_type,
            named,
        ));
    }
    for (operation, scim_type, named) in [
        (
            json!({"op": "Add", "path": "members", "value": [{"value": NOBODY}]}),
            "invalidValue",
            NOBODY,
        ),
        (
            json!({"op": "Add", "path": "members", "value": [{"value": "no id"}]}),
            "invalidValue",
            "no id",
        ),
        (
            json!({"op": "Add", "path": "members", "value": [{"value": {"x": 1}}]}),
            "invalidValue",
            "members",
        ),
        (
            json!({"op": "Add", "path": "members", "value": [[]]}),
            "invalidValue",
            "members",
        ),
        (
            json!({"op": "Add", "path": "members", "value": [{"display": "x"}]}),
            "invalidValue",
            "members",
        ),
        (
            json!({"op": "replace", "path": "members[value eq \"x\"].value", "value": "y"}),
            "mutability",
            "members",
        ),
        (
            json!({"op": "remove", "path": "members[value eq ]"}),
            "invalidPath",
            "position",
        ),
        (
            json!({"op": "remove", "path": "displayName"}),
            "invalidValue",
            "displayName",
        ),
    ] {
        cases.push((
            Method::PATCH,
            &it.group,
            one(json!([valid, operation])),
            400,
            scim_type,
            named,
        ));
    }
    // Where the wording of the kind is open, either will do.
    let (open, exact): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.4 == "invalid");
    for (method, path, body, status, _, named) in open {
        let answer = it.it.scim.raw(method, path, body.clone()).await;
        let text = answer.text.clone();
        let kind = serde_json::from_str::<Value>(&text).unwrap()["scimType"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(kind.starts_with("invalid"), "{body}: {text}");
        assert!(answer.error(status, &kind).contains(named), "{body}: {text}");
    }
    it.refuses(exact).await;
}

#[tokio::test]
async fn queries_that_cannot_be_answered() {
    let it = Guarded::start().await;
    // As many as a URL may have, each of them encoded as three bytes.
    let deep = "(".repeat(5_000);
    for (filter, named) in [
        ("userName", "position"),
        ("userName eq", "position"),
        ("userName eq \"x", "position"),
        ("userName eq \"x\" and", "position"),
        ("userName eq \"x\" or or title pr", "position"),
        ("(userName eq \"x\"", "position"),
        ("userName eq \"x\")", "position"),
        ("userName is \"x\"", "position 10"),
        ("eq \"x\"", "position"),
        ("userName eq \"a\u{0}b\" and \u{0}", "position"),
        ("colour eq \"red\"", "colour"),
        ("emails[colour eq \"red\"]", "colour"),
        ("name.colour eq \"red\"", "colour"),
        ("active gt true", "active"),
        ("active eq \"perhaps\"", "active"),
        ("meta.created gt \"yesterday\"", "meta.created"),
        ("emails[type eq \"work\"", "position"),
        (&*deep, ""),
    ] {
        for endpoint in ["/Users", "/Groups"] {
            let filter = crate::deployment::encoded(filter);
            let answer = it.it.scim.get(&format!("{endpoint}?filter={filter}")).await;
            assert_eq!(answer.status, 400, "{endpoint} {filter:.80}: {:.200}", answer.text);
            let body: Value = serde_json::from_str(&answer.text).unwrap();
            let kind = body["scimType"].as_str().unwrap_or_default().to_owned();
            assert!(["invalidFilter", "tooMany"].contains(&&*kind), "{filter:.80}: {body}");
            let detail = answer.error(400, &kind);
            // A group has neither of the attributes, and says so.
            assert!(
                endpoint == "/Groups" || detail.contains(named),
                "{filter:.80}: {detail:?}"
            );
        }
    }
    for query in [
        "filter=",
        "filter=%ff",
        "filter=title+pr&filter=title+pr",
        "count=ten",
        "startIndex=1.5",
        "attributes=emails%5B",
        "excludedAttributes=%22",
    ] {
        let answer = it.it.scim.get(&format!("/Users?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text);
        let kind = serde_json::from_str::<Value>(&answer.text).unwrap()["scimType"]
            .as_str()
            .unwrap()
            .to_owned();
        answer.error(400, &kind);
    }
    it.unchanged().await;
}

#[tokio::test]
async fn ids_paths_and_methods_that_are_not_there() {
    let it = Guarded::start().await;
    let long = "a".repeat(5_000);
    let swapped = (
        it.user.replace("/Users", "/Groups"),
        it.group.replace("/Groups", "/Users"),
    );
    let body = user("new@kestrel.example").to_string();
    let mut cases = Vec::new();
    for id in [
        NOBODY,
        "x",
        "..%2F..%2Fetc",
        "%00",
        "%ff",
        "*",
        "0",
        "me",
        &*long,
        "%22%20or%201=1",
    ] {
        for path in [format!("/Users/{id}"), format!("/Groups/{id}")] {
            for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
                let body = match method {
                    Method::PATCH => one(json!({"op": "Replace", "path": "displayName", "value": "x"})),
                    Method::PUT if path.starts_with("/Groups") => json!({"displayName": "x"}).to_string(),
                    Method::PUT => body.clone(),
                    _ => String::new(),
                };
                cases.push((method, path.clone(), body));
            }
        }
    }
    for path in [&*swapped.0, &swapped.1] {
        cases.push((Method::GET, path.to_owned(), String::new()));
        cases.push((Method::DELETE, path.to_owned(), String::new()));
    }
    for path in ["/Nothing", "/Users/a/b", "/../Users/../../x"] {
        cases.push((Method::GET, path.to_owned(), String::new()));
    }
    for (method, path, body) in cases {
        let answer = it.it.scim.raw(method.clone(), &path, body).await;
        assert!(
            [400, 404].contains(&answer.status.as_u16()),
            "{method} {path:.60}: {} {}",
            answer.status,
            answer.text
        );
        let status = answer.status.as_u16();
        let kind = serde_json::from_str::<Value>(&answer.text).unwrap()["scimType"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        answer.error(status, &kind);
    }
    it.it.scim.raw(Method::GET, "/Me", String::new()).await.error(501, "");
    for (method, path) in [
        (Method::DELETE, "/Users"),
        (Method::PUT, "/Groups"),
        (Method::POST, &*it.user),
        (Method::POST, "/Schemas"),
        (Method::PATCH, "/ServiceProviderConfig"),
    ] {
        it.it.scim.raw(method, path, body.clone()).await.error(405, "");
    }
    for media_type in ["text/plain", "application/xml", "application/x-www-form-urlencoded"] {
        let request = it
            .it
            .scim
            .request(Method::POST, "/Users")
            .header("content-type", media_type);
        Answer::of(request.body(body.clone())).await.error(415, "");
    }
    it.unchanged().await;
}

#[tokio::test]
async fn bodies_up_to_the_limit_are_taken_and_beyond_it_refused() {
    let it = Guarded::start().await;
    let scim = &it.it.scim;
    // White space is part of a body and of no value.
    let padded = |body: &Value, bytes: usize| {
        let mut text = body.to_string();
        text.push_str(&" ".repeat(bytes - text.len()));
        text
    };
    const MIB: usize = 1 << 20;
    let body = user("big@kestrel.example");
    for bytes in [MIB + 1, 2 * MIB] {
        assert!(
            scim.raw(Method::POST, "/Users", padded(&body, bytes))
                .await
                .error(413, "")
                .contains("1048576")
        );
        scim.raw(Method::PUT, &it.user, padded(&body, bytes))
            .await
            .error(413, "");
        scim.raw(Method::PATCH, &it.user, padded(&patch(json!([])), bytes))
            .await
            .error(413, "");
    }
    let members: Vec<_> = (0..150_000)
        .map(|n| json!({"value": format!("00000000-0000-4000-8000-{n:012}")}))
        .collect();
    let removal = patch(json!({"op": "Remove", "path": "members", "value": members}));
    scim.raw(Method::PATCH, &it.group, padded(&removal, 10 * MIB + 1))
        .await
        .error(413, "");
    scim.raw(Method::POST, "/Groups", padded(&group("Big", &[NOBODY]), 10 * MIB + 1))
        .await
        .error(413, "");
    it.unchanged().await;

    // Just below, everything is taken; who is removed was no member.
    scim.raw(Method::PATCH, &it.group, padded(&removal, 10 * MIB))
        .await
        .expect(204);
    it.unchanged().await;
    scim.raw(Method::POST, "/Users", padded(&body, MIB)).await.expect(201);
    it.it.settled().await;
    assert_eq!(it.it.platform.names().await.len(), 2);
}
