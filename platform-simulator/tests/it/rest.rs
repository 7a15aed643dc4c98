use super::*;

async fn get(sim: &Sim, path: &str) -> (u16, Value) {
    let answer = sim.get(&format!("/identity/api/{path}")).await;
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn users_are_listed_page_by_page() {
    let sim = Sim::start().await;
    for n in 0..5 {
        sim.create(&format!("u{n}@example.com")).await;
    }
    let names = |page: &Value| {
        let users = page["_embedded"]["users"].as_array().unwrap().iter();
        users
            .map(|user| user["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (_, first) = get(&sim, "users?api-version=3.0&pageSize=4&filter.searchText=example").await;
    assert_eq!(names(&first).len(), 4);
    let next = first["_links"]["next"]["href"].as_str().unwrap();
    assert!(next.contains("pageNumber=2"), "{next}");
    let (_, second) = get(&sim, "users?api-version=3.0&pageSize=4&pageNumber=2").await;
    assert_eq!((names(&second).len(), second["_links"].get("next")), (3, None));
    let (_, found) = get(&sim, "users?api-version=3.0&filter.displayName=U3").await;
    assert_eq!(names(&found), ["u3@example.com"]);
    assert_eq!(get(&sim, "users").await.0, 400);
}

#[tokio::test]
async fn one_user_is_read_by_id_or_by_name() {
    let sim = Sim::start().await;
    let id = sim.create("ada@example.com").await;
    for key in [id.as_str(), "ADA@example.com", "ada%40example.com"] {
        let (status, user) = get(&sim, &format!("users/{key}?api-version=3.0")).await;
        assert_eq!((status, &user["uuid"]), (200, &json!(id)), "{key}");
    }
    let (status, body) = get(&sim, "users/nobody?api-version=3.0").await;
    assert!(status == 404 && body["message"].as_str().unwrap().contains("nobody"));
    sim.set(|profile| profile.hidden = vec!["v3/*".to_owned()]).await;
    let hidden = sim.get(&format!("/identity/api/users/{id}?api-version=3.0")).await;
    assert_eq!(
        (hidden.status(), hidden.bytes().await.unwrap().len()),
        (StatusCode::NOT_FOUND, 0)
    );
}

#[tokio::test]
async fn the_older_list_has_every_directory() {
    let profile = json!({ "federated_accounts": ["fay@example.com"], "federated_hidden_until_login": true });
    let sim = Sim::with_profile(profile).await;
    let names = async |path: &str| {
        let users: Vec<Value> = sim.get(path).await.json().await.unwrap();
        users
            .iter()
            .map(|user| user["Name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let fay = "fay@example.com".to_owned();
    assert!(!names("/identity/entities/xpmusers?detail=true").await.contains(&fay));
    sim.client
        .post(sim.url("/_sim/users/fay@example.com/login"))
        .send()
        .await
        .unwrap();
    assert!(names("/identity/entities/xpmusers?detail=true").await.contains(&fay));
    assert!(!names("/identity/api/entities/localusers").await.contains(&fay));
}
