//! How requests arrive: all at once, under which media type, with headers missing, with more in the URL than is asked for.

use futures_util::future::join_all;
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::deployment::{Answer, Deployment, TOKEN, encoded, user};
use crate::entra::{ENTERPRISE, ODILE, Person, at, group_at};

#[tokio::test]
async fn q32_patches_of_one_resource_at_once_lose_nothing() {
    let person = Person::new().await;
    let scim = &person.it.scim;
    let mut users = Vec::new();
    for n in 0..12 {
        users.push(scim.create_user(&format!("user{n}@kestrel.example")).await);
    }
    let group = group_at(&scim.create_group::<&str>("Rack", &[]).await);
    let add = |id: &String| {
        scim.patch(
            &group,
            json!({"op": "Add", "path": "members", "value": [{"value": id}]}),
        )
    };
    join_all(users.iter().map(|id| async { add(id).await.expect(204) })).await;
    let attributes = ["title", "nickName", "userType", "locale", "timezone", "profileUrl"];
    let set = |name: &'static str| person.patch(json!({"op": "Replace", "path": name, "value": name}));
    join_all(attributes.map(|name| async move { set(name).await.expect(204) })).await;
    let read = person.read().await;
    for name in attributes {
        assert_eq!(read[name], name);
    }
    person.it.settled().await;
    assert_eq!(person.it.platform.members("Rack").await.len(), users.len());
    assert_eq!(
        scim.get(&group).await.expect(200)["members"].as_array().unwrap().len(),
        users.len()
    );
}

#[tokio::test]
async fn q34_any_json_media_type_is_taken_on_writes() {
    let it = Deployment::start().await;
    for (n, kind) in [
        "application/scim+json; charset=utf-8",
        "application/scim+json",
        "APPLICATION/SCIM+JSON;CHARSET=UTF-8",
        "application/json",
        "application/json; charset=utf-8",
    ]
    .into_iter()
    .enumerate()
    {
        let request = it.scim.request(Method::POST, "/Users").header("content-type", kind);
        let body = user(&format!("user{n}@kestrel.example")).to_string();
        let created = Answer::of(request.body(body)).await.expect(201);
        let path = at(created["id"].as_str().unwrap());
        let request = it.scim.request(Method::PATCH, &path).header("content-type", kind);
        let body = json!({"Operations": [{"op": "Add", "path": "title", "value": "Lead"}]}).to_string();
        Answer::of(request.body(body)).await.expect(204);
        let request = it.scim.request(Method::PUT, &path).header("content-type", kind);
        Answer::of(request.body(created.to_string())).await.expect(200);
    }
    let request = it
        .scim
        .request(Method::POST, "/Users")
        .header("content-type", "text/xml");
    Answer::of(request.body("<user/>")).await.error(415, "");
}

/// A request with these header lines only, as it stands on the wire.
async fn on_the_wire(base: &str, method: &str, path: &str, lines: &str) -> String {
    let (host, prefix) = base.trim_start_matches("http://").split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let head = format!("{method} /{prefix}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn q35_no_header_but_the_credential_is_needed() {
    let person = Person::new().await;
    let base = person.it.scim.base();
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    for (path, has) in [
        (
            "/Users?filter=userName+eq+%22odile%40kestrel.example%22".to_owned(),
            "\"totalResults\":1",
        ),
        (at(&person.id), ODILE),
        ("/Groups".to_owned(), "\"totalResults\":0"),
        ("/Schemas".to_owned(), ENTERPRISE),
    ] {
        let answer = on_the_wire(base, "GET", &path, &bearer).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains(has),
            "{path}: {answer}"
        );
        assert!(
            answer
                .to_lowercase()
                .contains("content-type: application/scim+json\r\n"),
            "{answer}"
        );
    }
    let odd = format!("{bearer}Accept: */*\r\nADSCIMVersion: 5.0\r\n");
    assert!(
        on_the_wire(base, "GET", &at(&person.id), &odd)
            .await
            .starts_with("HTTP/1.1 200 ")
    );
    let deleted = on_the_wire(base, "DELETE", &at(&person.id), &bearer).await;
    assert!(deleted.starts_with("HTTP/1.1 204 "), "{deleted}");
}

#[tokio::test]
async fn q36_flags_in_the_query_are_ignored_on_every_path() {
    let person = Person::new().await;
    let scim = &person.it.scim;
    let filter = encoded(&format!("userName eq \"{ODILE}\""));
    for flag in [
        "aadOptscim062020",
        "aadOptscim062020=",
        "AzureAdScimPatch062020=true",
        "AzureAdScimPatch2017",
    ] {
        for query in [format!("{flag}&filter={filter}"), format!("filter={filter}&{flag}")] {
            assert_eq!(
                scim.get(&format!("/Users?{query}")).await.expect(200)["totalResults"],
                1,
                "{query}"
            );
        }
        let path = format!("{}?{flag}", at(&person.id));
        assert_eq!(scim.get(&path).await.expect(200)["userName"], ODILE);
        scim.patch(&path, json!({"op": "Replace", "path": "title", "value": flag}))
            .await
            .expect(204);
        assert_eq!(person.read().await["title"], flag);
        scim.get(&format!("/Schemas?{flag}")).await.expect(200);
        let created = scim
            .post(&format!("/Users?{flag}"), &user("flagged@kestrel.example"))
            .await
            .expect(201);
        scim.delete(&format!("{}?{flag}", at(created["id"].as_str().unwrap())))
            .await
            .expect(204);
    }
}

#[tokio::test]
async fn q37_trailing_and_doubled_slashes_lead_to_the_same_place() {
    let person = Person::new().await;
    let scim = &person.it.scim;
    let filter = encoded(&format!("userName eq \"{ODILE}\""));
    for path in ["/Users/?filter=", "//Users?filter=", "//Users//?filter="] {
        assert_eq!(
            scim.get(&format!("{path}{filter}")).await.expect(200)["totalResults"],
            1,
            "{path}"
        );
    }
    for path in [format!("/Users/{}/", person.id), format!("//Users//{}", person.id)] {
        assert_eq!(scim.get(&path).await.expect(200), person.read().await, "{path}");
        scim.patch(&path, json!({"op": "Add", "path": "title", "value": path}))
            .await
            .expect(204);
        assert_eq!(person.read().await["title"], path.as_str());
    }
    let created = scim.post("//Users/", &user("slash@kestrel.example")).await.expect(201);
    scim.delete(&format!("//Users/{}/", created["id"].as_str().unwrap()))
        .await
        .expect(204);
    scim.get("/Schemas/").await.expect(200);
}
