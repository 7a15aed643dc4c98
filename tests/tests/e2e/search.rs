//! Finding over SCIM: searches by POST, both resource types at the root (RFC 7644 §3.4.2.1, §3.4.3), orders (§3.4.2.3),
//! cursors (RFC 9865); and how answers travel.

use std::io::Read;

use flate2::read::GzDecoder;
use http::Method;
use serde_json::{Value, json};

use crate::deployment::{Answer, Deployment, Scim, encoded};

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// Users a to d, and groups of some of them.
struct Directory {
    it: Deployment,
    users: Vec<String>,
    groups: Vec<String>,
}

impl Directory {
    async fn new() -> Self {
        let it = Deployment::start().await;
        let mut users = Vec::new();
        for name in ["a", "b", "c", "d"] {
            users.push(it.scim.create_user(&format!("{name}@kestrel.example")).await);
        }
        let groups = vec![
            it.scim.create_group("Rack Operators", &users[..2]).await,
            it.scim.create_group::<&str>("The person without members", &[]).await,
            it.scim.create_group("Auditors", &users).await,
        ];
        Self { it, users, groups }
    }

    /// Everything, in the order of the root.
    fn ids(&self) -> Vec<&str> {
        self.users.iter().chain(&self.groups).map(String::as_str).collect()
    }
}

/// The same question by GET and by POST has the same answer.
async fn ask(scim: &Scim, endpoint: &str, question: Value) -> Value {
    let query: Vec<_> = question
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Array(names) => names
                    .iter()
                    .map(|name| name.as_str().unwrap())
                    .collect::<Vec<_>>()
                    .join(","),
                other => other.to_string(),
            };
            format!("{name}={}", encoded(&text))
        })
        .collect();
    let got = scim.get(&format!("{endpoint}?{}", query.join("&"))).await.expect(200);
    let mut body = question;
    body["schemas"] = json!(["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]);
    let posted = scim.post(&format!("{endpoint}/.search"), &body).await.expect(200);
    assert_eq!(posted, got, "{body}");
    assert_eq!(got["schemas"], json!([LIST]));
    got
}

fn ids(list: &Value) -> Vec<&str> {
    let resources = list["Resources"].as_array().unwrap().iter();
    resources.map(|resource| resource["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_search_by_post_asks_what_a_get_asks() {
    let it = Directory::new().await;
    let scim = &it.it.scim;
    let question = json!({"filter": "userName sw \"B\"", "attributes": ["userName", "name.givenName"]});
    let found = ask(scim, "/Users", question).await;
    assert_eq!(ids(&found), [&it.users[1]]);
    let user = &found["Resources"][0];
    assert_eq!(
        (&user["name"], user.get("title")),
        (&json!({"givenName": "Some"}), None)
    );
    let page = ask(scim, "/Users", json!({"startIndex": 2, "count": 2})).await;
    assert_eq!(
        (ids(&page), &page["totalResults"]),
        (vec![&*it.users[1], &it.users[2]], &json!(4))
    );
    assert_eq!([&page["startIndex"], &page["itemsPerPage"]], [2, 2]);
    let groups = ask(
        scim,
        "/Groups",
        json!({"filter": format!("members eq \"{}\"", it.users[0])}),
    )
    .await;
    assert_eq!(ids(&groups), [&it.groups[0], &it.groups[2]]);
    assert_eq!(groups["Resources"][1]["members"].as_array().unwrap().len(), 4);
    let brief = ask(scim, "/Groups", json!({"excludedAttributes": ["members"]})).await;
    assert!(
        brief["Resources"]
            .as_array()
            .unwrap()
            .iter()
            .all(|group| group.get("members").is_none())
    );
}

#[tokio::test]
async fn the_root_lists_users_and_then_groups() {
    let it = Directory::new().await;
    let (scim, all) = (&it.it.scim, it.ids());
    let whole = ask(scim, "", json!({})).await;
    assert_eq!(
        (ids(&whole), &whole["totalResults"], &whole["itemsPerPage"]),
        (all.clone(), &json!(7), &json!(7))
    );
    for (resource, name) in whole["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .zip(["User"; 4].iter().chain(&["Group"; 3]))
    {
        assert_eq!(resource["meta"]["resourceType"], *name);
    }
    let members = |at: usize| {
        whole["Resources"][at]
            .get("members")
            .map(|members| members.as_array().unwrap().len())
    };
    assert_eq!((members(4), members(5), members(6)), (Some(2), None, Some(4)));
    // Every page of every size is a piece of that one list.
    for size in 0..=8 {
        for start in 1..=9 {
            let page = ask(
                scim,
                "",
                json!({"startIndex": start, "count": size, "attributes": ["id"]}),
            )
            .await;
            let rest: Vec<_> = all.iter().copied().skip(start - 1).take(size).collect();
            assert_eq!(ids(&page), rest, "{start}, {size}");
            assert_eq!([&page["totalResults"], &page["startIndex"]], [7, start]);
            assert_eq!(page["itemsPerPage"], rest.len());
        }
    }
    assert_eq!(ids(&scim.get("/?count=1").await.expect(200)), all[..1]);
}

#[tokio::test]
async fn a_filter_at_the_root_asks_each_type_what_it_can_tell() {
    let it = Directory::new().await;
    let (scim, users, groups) = (&it.it.scim, &it.users, &it.groups);
    let both = [&*users[1], &groups[0]];
    let table = [
        (
            "userName eq \"B@kestrel.example\" or displayName eq \"rack operators\"",
            both.to_vec(),
        ),
        ("displayName sw \"The person\" and not (userName pr)", vec![&*groups[1]]),
        ("userName pr and meta.resourceType eq \"Group\"", vec![]),
        (
            "meta.resourceType eq \"Group\"",
            groups.iter().map(String::as_str).collect(),
        ),
        ("externalId eq \"c\"", vec![&*users[2]]),
        (
            "displayName co \"or\" and title ne \"x\"",
            vec![&*groups[0], &groups[2]],
        ),
    ];
    for (filter, expected) in table {
        let found = ask(scim, "", json!({"filter": filter})).await;
        assert_eq!(
            (ids(&found), &found["totalResults"]),
            (expected.clone(), &json!(expected.len())),
            "{filter}"
        );
    }
    for (filter, scim_type, part) in [
        ("userNme pr", "invalidFilter", "userNme"),
        ("userName eq", "invalidFilter", "position"),
        ("active gt true", "invalidFilter", "active"),
    ] {
        let detail = scim
            .get(&format!("/?filter={}", encoded(filter)))
            .await
            .error(400, scim_type);
        assert!(detail.contains(part), "{detail}");
        let body = json!({"filter": filter});
        assert_eq!(scim.post("/.search", &body).await.error(400, scim_type), detail);
    }
}

#[tokio::test]
async fn lists_come_in_the_order_that_is_asked_for() {
    let it = Directory::new().await;
    let (scim, users, groups) = (&it.it.scim, &it.users, &it.groups);
    let at = |id: &str| format!("/Users/{id}");
    for (user, title, mail) in [
        (0, "Z", "d@x.example"),
        (1, "y", "a@x.example"),
        (3, "Y", "c@x.example"),
    ] {
        let work = json!({"type": "home", "value": "0@x.example"});
        let emails = json!([work, {"type": "work", "primary": true, "value": mail}]);
        let change = json!([{"op": "replace", "value": {"title": title, "emails": emails}}]);
        scim.patch(&at(&users[user]), change).await.expect(204);
    }
    let clear = json!({"op": "remove", "path": "title"});
    scim.patch(&at(&users[2]), clear).await.expect(204);
    for (by, order, expected) in [
        ("userName", "descending", [3, 2, 1, 0]),
        // Equal but for case, in the order of creation; nothing at all comes last, and first the other way round.
        ("title", "ascending", [1, 3, 0, 2]),
        ("title", "descending", [2, 0, 1, 3]),
        // The primary value, not the first.
        ("emails.value", "Ascending", [1, 2, 3, 0]),
        (
            "urn:ietf:params:scim:schemas:core:2.0:User:name.familyName",
            "descending",
            [3, 2, 1, 0],
        ),
    ] {
        let expected: Vec<_> = expected.iter().map(|user| &*users[*user]).collect();
        let sorted = ask(scim, "/Users", json!({"sortBy": by, "sortOrder": order})).await;
        assert_eq!(ids(&sorted), expected, "{by} {order}");
        let question = json!({"sortBy": by, "sortOrder": order, "filter": "id pr", "startIndex": 2, "count": 2});
        let page = ask(scim, "/Users", question).await;
        assert_eq!(
            (ids(&page), &page["totalResults"]),
            (expected[1..3].to_vec(), &json!(4)),
            "{by} {order}"
        );
    }
    let sorted = ask(scim, "/Groups", json!({"sortBy": "displayName"})).await;
    assert_eq!(ids(&sorted), [&groups[2], &groups[0], &groups[1]]);
    assert_eq!(sorted["Resources"][0]["members"].as_array().unwrap().len(), 4);
    for (by, part) in [
        ("nothing", "nothing"),
        ("name", "complex"),
        ("emails[type eq \"work\"]", "position"),
    ] {
        let detail = scim
            .get(&format!("/Users?sortBy={}", encoded(by)))
            .await
            .error(400, "invalidPath");
        assert!(detail.contains(part), "{detail}");
    }
}

/// Reads all pages by cursor.
async fn by_cursor(scim: &Scim, endpoint: &str, question: &Value, size: usize) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let mut page = question.clone();
        page["cursor"] = cursor.into();
        page["count"] = size.into();
        let page = ask(scim, endpoint, page).await;
        assert_eq!(
            (
                page.get("startIndex"),
                page["Resources"].as_array().unwrap().len() <= size
            ),
            (None, true)
        );
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        match page.get("nextCursor") {
            None => {
                assert_eq!(page["totalResults"], seen.len());
                return seen;
            }
            Some(next) => cursor = next.as_str().unwrap().to_owned(),
        }
    }
}

#[tokio::test]
async fn cursors_lead_through_every_list_once() {
    let it = Directory::new().await;
    let scim = &it.it.scim;
    let questions = [
        ("/Users", json!({})),
        ("/Users", json!({"filter": "userName ne \"b@kestrel.example\""})),
        ("/Users", json!({"sortBy": "userName", "sortOrder": "descending"})),
        (
            "/Groups",
            json!({"sortBy": "displayName", "filter": "displayName co \"or\""}),
        ),
        ("/Groups", json!({"excludedAttributes": ["members"]})),
        ("", json!({})),
        ("", json!({"filter": "displayName sw \"The person\""})),
        ("", json!({"filter": "meta.resourceType eq \"Group\""})),
        ("", json!({"filter": "title eq \"nobody's\""})),
    ];
    for (endpoint, question) in questions {
        let whole = ask(scim, endpoint, question.clone()).await;
        assert_eq!((&whole["startIndex"], whole.get("nextCursor")), (&json!(1), None));
        for size in [1, 2, 3, 4, 5, 9] {
            assert_eq!(
                by_cursor(scim, endpoint, &question, size).await,
                ids(&whole),
                "{endpoint} {question} {size}"
            );
        }
    }
}

#[tokio::test]
async fn a_cursor_belongs_to_its_search() {
    let it = Directory::new().await;
    let scim = &it.it.scim;
    let cursor = async |query: &str| {
        let page = scim.get(&format!("{query}&cursor=&count=1")).await.expect(200);
        page["nextCursor"].as_str().unwrap().to_owned()
    };
    let (users, root) = (cursor("/Users?filter=id+pr").await, cursor("/?filter=id+pr").await);
    let sorted = cursor("/Users?sortBy=userName").await;
    for query in [
        format!("/Users?filter=userName+pr&cursor={users}"),
        format!("/Users?filter=id+pr&sortBy=userName&cursor={users}"),
        format!("/Groups?filter=id+pr&cursor={users}"),
        format!("/?filter=id+pr&cursor={users}"),
        format!("/Users?filter=id+pr&cursor={root}"),
        format!("/?filter=userName+pr&cursor={root}"),
        format!("/Users?cursor={sorted}"),
        format!("/Users?sortBy=userName&sortOrder=descending&cursor={sorted}"),
        "/Users?cursor=VZUTiyhEQJ94IR".to_owned(),
    ] {
        scim.get(&query).await.error(400, "invalidCursor");
    }
    for query in ["/Users?cursor=&count=0", "/?cursor=&count=-5"] {
        scim.get(query).await.error(400, "invalidCount");
    }
    // What it was bound to is still good, and a user who is gone is no obstacle.
    scim.delete(&format!("/Users/{}", it.users[0])).await.expect(204);
    for (query, next) in [
        (format!("/Users?filter=id+pr&cursor={users}"), &it.users[1]),
        (format!("/Users?sortBy=userName&cursor={sorted}"), &it.users[1]),
        (format!("/?filter=id+pr&cursor={root}"), &it.users[1]),
    ] {
        let page = scim.get(&query).await.expect(200);
        assert_eq!(ids(&page)[0], next, "{query}");
    }
}

#[tokio::test]
async fn head_says_what_get_says_without_the_body() {
    let it = Directory::new().await;
    let scim = &it.it.scim;
    for path in [
        "/".to_owned(),
        "/Users?filter=userName+pr&count=2".to_owned(),
        format!("/Users/{}", it.users[0]),
        "/Groups".to_owned(),
        "/Groups?excludedAttributes=members".to_owned(),
        format!("/Groups/{}", it.groups[0]),
        "/ServiceProviderConfig".to_owned(),
        "/ResourceTypes/User".to_owned(),
        "/Schemas".to_owned(),
        "/Users/nobody".to_owned(),
        "/Users?filter=nothing+pr".to_owned(),
    ] {
        let head = Answer::of(scim.request(Method::HEAD, &path)).await;
        let get = scim.get(&path).await;
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        for name in ["content-type", "etag", "location"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
    }
}

#[tokio::test]
async fn lists_and_large_groups_travel_packed() {
    let it = Directory::new().await;
    let scim = &it.it.scim;
    let crowd = format!("/Groups/{}", it.groups[2]);
    for path in ["/Users", "/Groups", "/", &crowd] {
        let plain = scim.get(path).await.text;
        let request = scim.request(Method::GET, path).header("accept-encoding", "gzip");
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip", "{path}");
        assert_eq!(response.headers()["vary"], "accept-encoding", "{path}");
        let packed = response.bytes().await.unwrap();
        let mut text = String::new();
        GzDecoder::new(&*packed).read_to_string(&mut text).unwrap();
        assert_eq!(text, plain, "{path}");
    }
}
