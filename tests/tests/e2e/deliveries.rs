//! How far a resource has got, as SCIM shows it to whom asks for it.

use serde_json::{Value, json};

use crate::deployment::{Deployment, encoded, profile, user};

const URN: &str = "urn:ietf:params:scim:schemas:extension:delinea:2.0:Delivery";
const ODILE: &str = "odile@kestrel.example";

#[tokio::test]
async fn the_delivery_state_is_shown_on_request_alone() {
    let it = Deployment::start().await;
    let id = it.scim.create_user(ODILE).await;
    let group = it.scim.create_group("Rack", &[&id]).await;
    it.settled().await;
    for (path, account) in [
        (format!("/Users/{id}"), it.platform.account(ODILE).await["ID"].clone()),
        (format!("/Groups/{group}"), Value::Null),
    ] {
        let plain = it.scim.get(&path).await.expect(200);
        assert!(plain.get(URN).is_none(), "{plain}");
        assert!(!plain["schemas"].as_array().unwrap().contains(&json!(URN)));
        let shown = it.scim.get(&format!("{path}?attributes={URN}")).await.expect(200);
        assert_eq!(shown[URN]["state"], "applied", "{shown}");
        assert!(shown[URN]["appliedVersion"].as_str().unwrap().starts_with("W/"));
        assert!(shown["schemas"].as_array().unwrap().contains(&json!(URN)));
        if !account.is_null() {
            assert_eq!(shown[URN]["platformId"], profile::kept(account.as_str().unwrap()));
        }
        let part = it.scim.get(&format!("{path}?attributes={URN}:state")).await.expect(200);
        assert_eq!(part[URN], json!({"state": "applied"}));
    }
}

#[tokio::test]
async fn a_list_shows_what_is_stuck_and_why() {
    let it = Deployment::start().await;
    it.platform.strangers(&[ODILE]).await;
    let id = it.scim.create_user(ODILE).await;
    it.scim.create_user("anders@kestrel.example").await;
    it.settled().await;
    let list = it
        .scim
        .get(&format!("/Users?attributes=userName,{URN}"))
        .await
        .expect(200);
    let stuck: Vec<_> = list["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|user| user[URN]["state"] == "refused")
        .collect();
    assert_eq!((stuck.len(), &stuck[0]["id"]), (1, &json!(id)));
    assert!(stuck[0][URN]["lastError"].as_str().unwrap().contains(ODILE));
    assert!(stuck[0][URN]["nextAttempt"].is_string() && stuck[0][URN].get("platformId").is_none());
}

#[tokio::test]
async fn it_is_ours_to_say_and_cannot_be_searched_by() {
    let it = Deployment::start().await;
    let mut body = user(ODILE);
    body[URN] = json!({"state": "applied", "platformId": "of another"});
    let id = it.scim.create("/Users", &body).await;
    it.settled().await;
    let shown = it
        .scim
        .get(&format!("/Users/{id}?attributes={URN}:platformId"))
        .await
        .expect(200);
    let account = it.platform.account(ODILE).await["ID"].clone();
    assert_eq!(shown[URN]["platformId"], profile::kept(account.as_str().unwrap()));
    for filter in [format!("{URN}:state eq \"refused\""), format!("{URN} pr")] {
        let answer = it.scim.get(&format!("/Users?filter={}", encoded(&filter))).await;
        let detail = answer.error(400, "invalidFilter");
        assert!(detail.contains("cannot be searched by"), "{detail}");
    }
    let sorted = it.scim.get(&format!("/Users?sortBy={URN}:state")).await;
    sorted.error(400, "invalidPath");
    let schema = it.scim.get(&format!("/Schemas/{URN}")).await.expect(200);
    let attributes = schema["attributes"].as_array().unwrap();
    assert!(
        attributes
            .iter()
            .all(|attribute| attribute["returned"] == "request" && attribute["mutability"] == "readOnly")
    );
}
