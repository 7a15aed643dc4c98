//! How messages travel and what errors look like (RFC 7644 §2, §3.8, §3.12, §3.13).

use http::Method;
use serde_json::{Value, json};

use crate::deployment::{Answer, TOKEN, user};
use crate::entra::{ODILE, Person, at};

#[tokio::test]
async fn scim_json_is_answered_whatever_accept_says() {
    let person = Person::new().await;
    let expected = person.read().await;
    for accept in [
        "application/scim+json",
        "application/json",
        "*/*",
        "application/*;q=0.8",
        "APPLICATION/SCIM+JSON; charset=utf-8",
        "text/html, application/xhtml+xml",
    ] {
        let request = person
            .it
            .scim
            .request(Method::GET, &at(&person.id))
            .header("accept", accept);
        assert_eq!(Answer::of(request).await.expect(200), expected, "{accept}");
    }
}

#[tokio::test]
async fn texts_are_utf_8_and_come_back_as_they_were_sent() {
    let mut body = user("jürgen.weiß@kestrel.example");
    body["displayName"] = "Jürgen 小田切 🦅 e\u{301}".into();
    body["phoneNumbers"] = json!([{"type": "work", "value": " +1 (514) 555-0117 ext. 9 "}]);
    let person = Person::of(&body).await;
    let read = person.read().await;
    for name in ["userName", "displayName", "phoneNumbers"] {
        assert_eq!(read[name], body[name]);
    }
    let broken: &[u8] = b"{\"userName\":\"\xff\"}";
    person
        .it
        .scim
        .raw(Method::POST, "/Users", broken)
        .await
        .error(400, "invalidSyntax");
}

#[tokio::test]
async fn every_kind_of_failure_is_a_scim_error_with_its_status() {
    let person = Person::new().await;
    let scim = &person.it.scim;
    // `error` looks at the schema, the status as text, the kind, and that there is a detail.
    scim.get("/Users?filter=x").await.error(400, "invalidFilter");
    scim.with_token("dsg_another").get("/Users").await.error(401, "");
    scim.get("/Schemas?filter=id+pr").await.error(403, "");
    scim.get("/Users/nobody").await.error(404, "");
    scim.get("/Nothing").await.error(404, "");
    scim.put("/Users", &user(ODILE)).await.error(405, "");
    scim.post("/Users", &user(ODILE)).await.error(409, "uniqueness");
    let stale = scim
        .request(Method::DELETE, &at(&person.id))
        .header("if-match", "W/\"99\"");
    Answer::of(stale).await.error(412, "");
    let large = format!("{}{}", user(ODILE), " ".repeat(2 << 20));
    scim.raw(Method::POST, "/Users", large).await.error(413, "");
    let other = scim
        .request(Method::POST, "/Users")
        .header("content-type", "text/plain");
    Answer::of(other.body("x")).await.error(415, "");
    scim.get("/Me").await.error(501, "");
}

#[tokio::test]
async fn another_version_of_the_protocol_is_no_address_here() {
    let person = Person::new().await;
    for path in ["/../v1/Users", "/../v3/Users", "/../Users"] {
        let detail = person.it.scim.get(path).await.error(404, "");
        assert!(detail.contains("/scim/v2"), "{detail}");
    }
}

#[tokio::test]
async fn nobody_is_let_in_without_a_credential() {
    let person = Person::new().await;
    let http = reqwest::Client::new();
    let url = format!("{}/Users", person.it.scim.base());
    for header in [
        None,
        Some("Basic b2RpbGU6eA==".to_owned()),
        Some(TOKEN.to_owned()),
        Some("Bearer ".to_owned()),
    ] {
        let mut request = http.get(&url);
        if let Some(value) = &header {
            request = request.header("authorization", value);
        }
        let answer = Answer::of(request).await;
        assert!(answer.header("www-authenticate").starts_with("Bearer "), "{header:?}");
        answer.error(401, "");
    }
    // A token in the address is none: addresses are logged by everybody (RFC 6750 §2.3).
    Answer::of(http.get(format!("{url}?access_token={TOKEN}")))
        .await
        .error(401, "");
    // The scheme's name has no letter case (RFC 9110 §11.1).
    let answer = Answer::of(http.get(&url).header("authorization", format!("bearer {TOKEN}"))).await;
    assert_eq!(answer.expect(200)["totalResults"], 1);
}

#[tokio::test]
async fn what_identifies_people_can_be_kept_out_of_urls() {
    let person = Person::new().await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": format!("userName eq \"{ODILE}\""), "attributes": ["displayName"], "startIndex": 1, "count": 10,
    });
    for path in ["/.search", "/Users/.search"] {
        let list: Value = person.it.scim.post(path, &body).await.expect(200);
        assert_eq!(
            (&list["totalResults"], &list["Resources"][0]["id"]),
            (&json!(1), &json!(person.id)),
            "{path}"
        );
    }
}
