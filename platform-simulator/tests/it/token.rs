use super::*;

#[tokio::test]
async fn a_token_is_given_for_the_right_credentials_only() {
    let sim = Sim::start().await;
    let answer = sim.token_answer(&sim.good_form()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(
        (&answer["token_type"], &answer["expires_in"]),
        (&json!("Bearer"), &json!(3600))
    );
    for (field, value, error) in [
        ("grant_type", "password", "unsupported_grant_type"),
        ("client_id", "someone@example.com", "invalid_client"),
        ("client_secret", "wrong", "invalid_client"),
        ("scope", "other", "invalid_scope"),
    ] {
        let form = sim
            .good_form()
            .map(|(key, good)| (key, if key == field { value } else { good }));
        let answer = sim.token_answer(&form).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{field}");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], error);
    }
    let url = sim.url("/identity/api/oauth2/token/xpmplatform");
    let answer = sim
        .client
        .post(url)
        .json(&json!({ "client_id": "x" }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn without_a_living_token_every_call_is_401() {
    let mut sim = Sim::start().await;
    let call = |sim: &Sim, token: &str| {
        let url = sim.url("/identity/api/Core/GetDirectoryServices");
        sim.client.post(url).bearer_auth(token).json(&json!({})).send()
    };
    assert_eq!(call(&sim, "made-up").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let users = sim
        .client
        .get(sim.url("/identity/api/entities/localusers"))
        .send()
        .await
        .unwrap();
    assert_eq!(users.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(call(&sim, &sim.token).await.unwrap().status(), StatusCode::OK);

    sim.client.delete(sim.url("/_sim/tokens")).send().await.unwrap();
    assert_eq!(
        call(&sim, &sim.token).await.unwrap().status(),
        StatusCode::UNAUTHORIZED,
        "revoked"
    );

    sim.set(|profile| profile.token_lifetime_s = 0).await;
    let answer: Value = sim.token_answer(&sim.good_form()).await.json().await.unwrap();
    assert_eq!(answer["expires_in"], 0);
    sim.token = answer["access_token"].as_str().unwrap().to_owned();
    assert_eq!(
        call(&sim, &sim.token).await.unwrap().status(),
        StatusCode::UNAUTHORIZED,
        "expired"
    );
}

#[tokio::test]
async fn the_secret_may_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "simulated-secret\n").unwrap();
    let config = Config {
        client_secret: "not this".to_owned(),
        client_secret_file: Some(path),
        ..Config::ephemeral()
    };
    assert!(!format!("{config:?}").contains("not this"));
    Sim::start_with(config).await;
}

#[tokio::test]
async fn paths_are_read_generously_and_the_rest_is_a_bare_404() {
    let sim = Sim::start().await;
    for path in [
        "/identity/api/Core/GetDirectoryServices",
        "/identity/api//core/GETDIRECTORYSERVICES",
        "/identity/Core/GetDirectoryServices",
    ] {
        let answer = sim
            .client
            .post(sim.url(path))
            .bearer_auth(&sim.token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.json::<Value>().await.unwrap()["success"], true);
    }
    for path in [
        "/identity/api/UserMgmt/GetUser",
        "/identity/api/Core",
        "/api/Core/GetDirectoryServices",
        "/",
    ] {
        let answer = sim
            .client
            .post(sim.url(path))
            .bearer_auth(&sim.token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.bytes().await.unwrap().len(), 0, "{path}");
    }
    assert_eq!(sim.see("/health").await, json!({ "healthy": true }));
}
