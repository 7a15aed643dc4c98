//! Other identity providers' usual conversations, from what they publish of themselves. The same code answers all of them:
//! nobody is known by a header, and what one provider needs is a rule that holds for all.

mod okta;
mod put_based;

use http::Method;
use serde_json::{Value, json};

use crate::deployment::{Answer, Deployment, patch, user};
use crate::entra::at;

/// Names of callers as they stand in headers; none at all is one of them.
const CALLERS: [&[(&str, &str)]; 4] = [
    &[],
    &[("adscimversion", "5.0")],
    &[("user-agent", "Okta SCIM Client 1.0.0")],
    &[("user-agent", "PostmanRuntime/7.32.3")],
];

#[tokio::test]
async fn the_caller_is_never_sniffed() {
    let mut heard: Vec<Vec<Value>> = Vec::new();
    for headers in CALLERS {
        let it = Deployment::start().await;
        let send = async |method: Method, path: &str, body: Value| {
            let mut request = it.scim.request(method, path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if !body.is_null() {
                request = request
                    .header("content-type", "application/scim+json")
                    .body(body.to_string());
            }
            Answer::of(request).await
        };
        let id = send(Method::POST, "/Users", user("odile@kestrel.example"))
            .await
            .expect(201)["id"]
            .clone();
        let other = send(Method::POST, "/Users", user("omar@kestrel.example"))
            .await
            .expect(201)["id"]
            .clone();
        let group = json!({"displayName": "Rack", "members": [{"value": id}]});
        let group = send(Method::POST, "/Groups", group).await.expect(201)["id"].clone();
        let (user_path, group_path) = (at(id.as_str().unwrap()), format!("/Groups/{}", group.as_str().unwrap()));
        let mut answers = Vec::new();
        for (method, path, body) in [
            (
                Method::PATCH,
                &user_path,
                patch(json!({"op": "Replace", "path": "active", "value": "False"})),
            ),
            (
                Method::PATCH,
                &user_path,
                patch(json!({"op": "replace", "value": {"active": true, "name.givenName": "O"}})),
            ),
            (
                Method::PATCH,
                &user_path,
                patch(json!({"op": "Replace", "path": "title", "value": ""})),
            ),
            (
                Method::PATCH,
                &group_path,
                patch(json!({"op": "replace", "path": "members", "value": [{"value": other}]})),
            ),
            (
                Method::PATCH,
                &group_path,
                patch(json!({"op": "replace", "path": "members", "value": [{"value": "x"}]})),
            ),
            (Method::GET, &user_path, Value::Null),
            (Method::GET, &group_path, Value::Null),
            (Method::POST, &"/Users".to_owned(), user("odile@kestrel.example")),
        ] {
            let answer = send(method, path, body).await;
            let text = answer
                .text
                .replace(id.as_str().unwrap(), "ID")
                .replace(other.as_str().unwrap(), "OTHER");
            let text = text
                .replace(group.as_str().unwrap(), "GROUP")
                .replace(it.scim.base(), "BASE");
            let mut body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
            if let Some(meta) = body.get_mut("meta").and_then(Value::as_object_mut) {
                meta.retain(|name, _| name == "version");
            }
            answers.push(json!([answer.status.as_u16(), body]));
        }
        heard.push(answers);
    }
    for (answers, headers) in heard.iter().zip(CALLERS) {
        assert_eq!(answers, &heard[0], "{headers:?}");
    }
}
