//! Small requests that ask for much: each is refused with a reason or answered in parts, and nobody else is kept waiting.

mod counted;

use http::Method;
use serde_json::{Value, json};

use crate::deployment::{Answer, Deployment, Scim, encoded, patch, user};

const ODILE: &str = "odile@kestrel.example";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[tokio::test]
async fn many_tiny_values_are_refused_before_they_fill_the_memory() {
    let it = Deployment::start().await;
    let group = it.scim.create_group("Rack Operators", &[] as &[&str]).await;
    let before = it.scim.get(&format!("/Groups/{group}")).await.text;
    let tiny = |value: &str, bytes: usize| {
        format!(
            "[{}{value}]",
            format!("{value},").repeat(bytes / (value.len() + 1) - 20)
        )
    };
    const GROUP: usize = 10 << 20;
    for value in [r#"{"a":0}"#, r#"{"value":""}"#, r#""a""#, "[]"] {
        let values = tiny(value, GROUP);
        let operation = format!(r#"{{"Operations":[{{"op":"add","path":"members","value":{values}}}]}}"#);
        let created = format!(r#"{{"displayName":"Another","members":{values}}}"#);
        for (method, path, body) in [
            (Method::PATCH, format!("/Groups/{group}"), operation),
            (Method::POST, "/Groups".to_owned(), created),
        ] {
            let detail = it.scim.raw(method, &path, body).await.error(413, "");
            assert!(detail.contains("values"), "{detail}");
        }
    }
    let body = format!(r#"{{"userName":"{ODILE}","emails":{}}}"#, tiny(r#"{"a":0}"#, 1 << 20));
    it.scim.raw(Method::POST, "/Users", body).await.error(413, "");
    assert_eq!(it.scim.get(&format!("/Groups/{group}")).await.text, before);
}

#[tokio::test]
async fn operations_that_would_take_long_are_refused() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    let group = it.scim.create_group("Rack Operators", &[&id]).await;
    let (user, group) = (format!("/Users/{id}"), format!("/Groups/{group}"));
    let emails: Vec<_> = (0..1_000)
        .map(|n| json!({"value": format!("{n}@kestrel.example")}))
        .collect();
    it.scim
        .patch(&user, json!({"op": "replace", "path": "emails", "value": emails}))
        .await
        .expect(204);
    let before = [&user, &group].map(|path| it.scim.get(path));
    let before = futures_util::future::join_all(before).await;
    let before: Vec<_> = before.into_iter().map(|answer| answer.text).collect();

    let members: Vec<_> = (0..10_000)
        .map(|n| json!({"value": format!("00000000-0000-4000-8000-{n:012}")}))
        .collect();
    let mut through_all = vec![json!({"op": "replace", "path": "members", "value": members})];
    through_all.extend(vec![json!({"op": "remove", "path": "members[type eq \"Group\"]"}); 700]);
    let eleven: serde_json::Map<_, _> = (0..11)
        .map(|n| (format!("phoneNumbers[type eq \"t{n}\"].value"), json!("1")))
        .collect();
    let listed = json!({"op": "remove", "path": "emails", "value": vec!["a"; 20]});
    for (path, operations, scim_type, named) in [
        (&group, json!(through_all), "tooMany", "operation 18: `members[…]`"),
        (&user, json!(vec![listed; 1_000]), "tooMany", "operation "),
        (
            &user,
            json!(vec![json!({"op": "add", "value": eleven}); 1_000]),
            "invalidSyntax",
            "10000",
        ),
    ] {
        let detail = it.scim.patch(path, operations).await.error(400, scim_type);
        assert!(detail.contains(named), "{detail}");
    }
    for (path, before) in [&user, &group].into_iter().zip(before) {
        assert_eq!(it.scim.get(path).await.text, before);
    }
}

/// Reads a list to its end, page by page, and gives the ids with the sizes of the pages.
async fn read(scim: &Scim, query: &str, by_cursor: bool) -> (Vec<String>, Vec<usize>) {
    let (mut ids, mut sizes, mut next) = (Vec::new(), Vec::new(), String::new());
    loop {
        let from = if by_cursor {
            format!("cursor={next}")
        } else {
            format!("startIndex={}", ids.len() + 1)
        };
        let page = scim
            .get(&format!("{query}{from}&count=100&attributes=id"))
            .await
            .expect(200);
        let found = page["Resources"].as_array().unwrap();
        assert_eq!(page["itemsPerPage"], found.len());
        ids.extend(found.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        sizes.push(found.len());
        let total = usize::try_from(page["totalResults"].as_u64().unwrap()).unwrap();
        match page["nextCursor"].as_str() {
            Some(cursor) => next = cursor.to_owned(),
            None if by_cursor || ids.len() == total => {
                assert_eq!(ids.len(), total, "{query}");
                return (ids, sizes);
            }
            None => assert!(!found.is_empty(), "{query}: the list ends before its total"),
        }
    }
}

#[tokio::test]
async fn lists_of_large_resources_come_in_smaller_pages() {
    let it = Deployment::start().await;
    let mut users = Vec::new();
    for n in 0..20 {
        let certificates: Vec<_> = (0..15)
            .map(|at| json!({"value": format!("{n:02}{at:02}{}", "A".repeat(65_532))}))
            .collect();
        let mut body = user(&format!("{n:02}@kestrel.example"));
        body["x509Certificates"] = json!(certificates);
        users.push(it.scim.create("/Users", &body).await);
    }
    let groups = [
        it.scim.create_group("one", &users[..1]).await,
        it.scim.create_group("two", &users[..1]).await,
    ];
    let backwards: Vec<_> = users.iter().rev().cloned().collect();
    let all = [&users[..], &groups].concat();
    for (query, expected) in [
        ("/Users?", &users),
        ("/Users?filter=title+pr&", &users),
        ("/Users?sortBy=userName&sortOrder=descending&", &backwards),
        // Groups do not begin before the users end, however few of them a page has.
        ("/?", &all),
    ] {
        for by_cursor in [false, true] {
            let (ids, sizes) = read(&it.scim, query, by_cursor).await;
            assert_eq!(ids, *expected, "{query} {by_cursor}");
            assert!(sizes.len() > 1 && sizes[0] < 20, "{query}: {sizes:?}");
        }
    }
}

#[tokio::test]
async fn groups_are_shown_alike_and_never_out_of_date() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    let group = it.scim.create_group("Rack Operators", &[&id]).await;
    let path = format!("/Users/{id}");
    let read = it.scim.get(&path).await;
    let tag = read.header("etag").to_owned();
    let whole = read.expect(200);
    assert_eq!(whole["groups"][0]["value"], group);

    // What was written is answered as it is read.
    let replaced = it.scim.put(&path, &whole).await.expect(200);
    assert_eq!(replaced, whole);
    let request = |query: &str| {
        let request = it.scim.request(Method::PATCH, &format!("{path}{query}"));
        request.header("accept", "application/scim+json")
    };
    let change = patch(json!({"op": "replace", "path": "title", "value": "Rack technician"})).to_string();
    let patched = Answer::of(request("").body(change.clone())).await.expect(200);
    assert_eq!(patched, whole);
    let brief = Answer::of(request("?excludedAttributes=groups").body(change))
        .await
        .expect(200);
    assert_eq!(brief.get("groups"), None);

    // A group's name is no part of the user's version, so a version says nothing of what is shown with it.
    it.scim
        .patch(
            &format!("/Groups/{group}"),
            json!({"op": "replace", "path": "displayName", "value": "East"}),
        )
        .await
        .expect(204);
    let conditional = async |query: &str| {
        let request = it.scim.request(Method::GET, &format!("{path}{query}"));
        Answer::of(request.header("if-none-match", &tag)).await
    };
    let fresh = conditional("").await.expect(200);
    assert_eq!(fresh["groups"][0]["display"], "East");
    assert_eq!(conditional("?attributes=groups").await.status, 200);
    for query in ["?excludedAttributes=groups", "?attributes=userName"] {
        let known = conditional(query).await;
        assert_eq!((known.status.as_u16(), known.header("etag")), (304, &*tag), "{query}");
    }
}

#[tokio::test]
async fn errors_count_operations_as_the_client_does() {
    let it = Deployment::start().await;
    let path = format!("/Users/{}", it.scim.create_user(ODILE).await);
    let several = json!({"op": "replace", "value": {"title": "a", "nickName": "b", "displayName": "c"}});
    let without_target = json!({"op": "add", "path": "emails[type ne \"work\"].value", "value": "a@x"});
    let detail = it
        .scim
        .patch(&path, json!([several, several, without_target]))
        .await
        .error(400, "noTarget");
    assert!(detail.starts_with("operation 3: "), "{detail}");
}

#[tokio::test]
async fn what_no_table_has_is_ignored_and_values_are_compared_as_they_should() {
    let it = Deployment::start().await;
    let path = format!("/Users/{}", it.scim.create_user(ODILE).await);
    let before = it.scim.get(&path).await;
    // Q24, in both dialects: a mapping to what is not kept must not fail a user for ever.
    let custom = "urn:ietf:params:scim:schemas:extension:kestrel:2.0:User:badgeTier";
    for operation in [
        json!({"op": "Add", "path": custom, "value": "T2"}),
        json!({"op": "replace", "value": {custom: "T2", "shoeSize": 44}}),
        json!({"op": "Replace", "path": "shoeSize", "value": 44}),
        json!({"op": "Add", "path": "name.nick", "value": "O"}),
        json!({"op": "Add", "path": "emails[type eq \"work\"].colour", "value": "red"}),
        json!({"op": "Remove", "path": format!("{ENTERPRISE}:shoeSize")}),
        // Q20: the address is there, in another letter case.
        json!({"op": "Add", "path": "emails", "value": [{"value": "ODILE@MAIL.example", "type": "work"}]}),
    ] {
        it.scim.patch(&path, operation).await.expect(204);
        assert_eq!(it.scim.get(&path).await.text, before.text);
    }
    it.scim
        .patch(
            &path,
            json!({"op": "Remove", "path": "emails", "value": [{"value": "ODILE@MAIL.example"}]}),
        )
        .await
        .expect(204);
    assert_eq!(it.scim.get(&path).await.expect(200).get("emails"), None);
}

#[tokio::test]
async fn an_error_is_short_and_says_no_value() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    let long = format!("a{}", "b".repeat(7_000));
    for filter in [
        format!("{long} eq \"x\""),
        format!("{long}[{long} pr]"),
        format!("title gt null and {long} pr"),
    ] {
        let answer = it.scim.get(&format!("/Users?filter={}", encoded(&filter))).await;
        let detail = answer.error(400, "invalidFilter");
        assert!(detail.len() <= 1_024, "{}", detail.len());
    }
    for filter in [
        format!("groups co \"{ODILE}\""),
        format!("not (groups.display eq \"{ODILE}\")"),
    ] {
        let answer = it.scim.get(&format!("/Users?filter={}", encoded(&filter))).await;
        let detail = answer.error(400, "invalidFilter");
        assert!(detail.contains("groups") && !detail.contains("odile"), "{detail}");
    }
    // Whoever has to mend a clash of names is told what to look for (Q33).
    it.scim
        .patch(
            &format!("/Users/{id}"),
            json!({"op": "Replace", "path": "active", "value": "False"}),
        )
        .await
        .expect(204);
    let detail = it.scim.post("/Users", &user(ODILE)).await.error(409, "uniqueness");
    assert!(detail.contains(&id) && detail.contains("inactive"), "{detail}");
}

#[tokio::test]
async fn a_list_of_versions_is_one_that_must_match() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    let group = it.scim.create_group("Rack Operators", &[&id]).await;
    for path in [format!("/Users/{id}"), format!("/Groups/{group}")] {
        let change = async |versions: &str, name: &str| {
            let body = patch(json!({"op": "replace", "path": "displayName", "value": name})).to_string();
            let request = it.scim.request(Method::PATCH, &path).header("if-match", versions);
            Answer::of(request.body(body)).await
        };
        change("W/\"7\", W/\"8\"", "never").await.error(412, "");
        change("W/\"7\", W/\"1\"", "second").await.expect(204);
        change("W/\"7\", W/\"1\"", "third").await.error(412, "");
        let read: Value = it.scim.get(&path).await.expect(200);
        assert_eq!(read["displayName"], "second");
    }
}
