//! OAuth clients at the token endpoint, and what their tokens open.

use std::time::Duration;

use proto::identity::v1::{ListCredentialsRequest, RevokeCredentialRequest, RotateClientSecretRequest};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::{AUDIENCE, with_entra};
use crate::deployment::{Answer, Deployment, Setup, TENANT, user};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Deployment {
    fn token_request(&self) -> RequestBuilder {
        Client::new().post(self.token_url())
    }

    /// Asks for a token by a secret in the form.
    async fn ask(&self, client_id: &str, secret: &str) -> Answer {
        let form = [GRANT, ("client_id", client_id), ("client_secret", secret)];
        Answer::of(self.token_request().form(&form)).await
    }

    /// Asks for a token by an assertion.
    async fn show(&self, client_id: &str, assertion: &str) -> Answer {
        let form = [
            GRANT,
            ("client_id", client_id),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion),
        ];
        Answer::of(self.token_request().form(&form)).await
    }

    async fn revoke(&self, credential: &str, secret_id: &str) {
        let request = RevokeCredentialRequest {
            tenant: TENANT.to_owned(),
            credential: credential.to_owned(),
            secret_id: secret_id.to_owned(),
        };
        self.credentials().revoke_credential(request).await.unwrap();
    }

    /// Waits until a token opens nothing any more; it must be within the time that a verdict may be remembered.
    async fn until_refused(&self, token: &str) {
        let scim = self.scim.with_token(token);
        let refused = async {
            while scim.get("/Users").await.status != 401 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        // Ten seconds, and what a busy machine adds.
        tokio::time::timeout(Duration::from_secs(20), refused).await.unwrap();
    }
}

fn access_token(answer: &Answer) -> String {
    let body = json_of(answer, 200);
    body["access_token"].as_str().unwrap().to_owned()
}

#[track_caller]
fn json_of(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    serde_json::from_str(&answer.text).unwrap()
}

#[tokio::test]
async fn a_secret_in_the_header_or_in_the_form_gets_a_token_that_opens_scim() {
    let it = Deployment::start().await;
    let (id, secret) = it.client("entra").await;
    let in_form = it.ask(&id, &secret).await;
    let in_header = it.token_request().basic_auth(&id, Some(&secret)).form(&[GRANT]);
    for answer in [in_form, Answer::of(in_header).await] {
        let body = json_of(&answer, 200);
        assert_eq!(
            (&body["token_type"], &body["expires_in"]),
            (&json!("Bearer"), &json!(3600))
        );
        let scim = it.scim.with_token(body["access_token"].as_str().unwrap());
        scim.get("/Users").await.expect(200);
    }
    let tenant = TENANT.to_owned();
    it.until(async |it| {
        let tenant = tenant.clone();
        let mut service = it.credentials();
        let all = service
            .list_credentials(ListCredentialsRequest { tenant })
            .await
            .unwrap();
        let all = all.into_inner().credentials;
        all.iter().any(|one| one.name == "entra" && one.last_used_at.is_some())
    })
    .await;
}

#[tokio::test]
async fn what_is_no_request_for_a_token_is_told_so_and_gets_none() {
    let it = Deployment::start().await;
    let (id, secret) = it.client("entra").await;
    let basic = |user: &str, password: &str| it.token_request().basic_auth(user, Some(password)).form(&[GRANT]);
    let form = |pairs: &[(&str, &str)]| it.token_request().form(pairs);
    let other_type = it.token_request().header("content-type", "application/json");
    let large = "x".repeat(64 << 10);
    let table = [
        (basic(&id, "wrong"), 401, "invalid_client"),
        (basic("nobody", &secret), 401, "invalid_client"),
        (
            form(&[GRANT, ("client_id", &id), ("client_secret", "")]),
            401,
            "invalid_client",
        ),
        (form(&[GRANT, ("client_id", &id)]), 401, "invalid_client"),
        (
            form(&[("client_id", &id), ("client_secret", &secret)]),
            400,
            "invalid_request",
        ),
        (
            form(&[("grant_type", "password"), ("username", "a")]),
            400,
            "unsupported_grant_type",
        ),
        (
            form(&[GRANT, GRANT, ("client_id", &id), ("client_secret", &secret)]),
            400,
            "invalid_request",
        ),
        (
            form(&[GRANT, ("client_id", &id), ("client_secret", &large)]),
            400,
            "invalid_request",
        ),
        (other_type.body("{}"), 400, "invalid_request"),
        (
            form(&[GRANT, ("client_assertion", "a.b.c"), ("client_assertion_type", "other")]),
            400,
            "invalid_request",
        ),
        (
            form(&[
                GRANT,
                ("client_id", &id),
                ("client_assertion", "a.b.c"),
                ("client_assertion_type", ASSERTION),
            ]),
            401,
            "invalid_client",
        ),
    ];
    for (nth, (request, status, error)) in table.into_iter().enumerate() {
        let answer = Answer::of(request).await;
        let challenge = answer.header("www-authenticate").to_owned();
        let body = json_of(&answer, status);
        assert_eq!(body["error"], error, "{nth}: {body}");
        assert!(!body["error_description"].as_str().unwrap().contains(&secret), "{nth}");
        // RFC 6749 §5.2: only who tried HTTP Basic is asked for it.
        assert_eq!(challenge.starts_with("Basic "), nth < 2, "{nth}: {challenge}");
    }
    let get = Answer::of(Client::new().get(it.token_url())).await;
    assert_eq!(get.status, 405);
}

#[tokio::test]
async fn two_secrets_are_good_at_once_and_a_token_ends_with_its_own() {
    let it = Deployment::start().await;
    let (id, first) = it.client("entra").await;
    let request = RotateClientSecretRequest {
        tenant: TENANT.to_owned(),
        credential: "entra".to_owned(),
        expires_at: None,
        request_id: None,
    };
    let rotated = it
        .credentials()
        .rotate_client_secret(request)
        .await
        .unwrap()
        .into_inner();
    let (of_first, of_second) = (
        access_token(&it.ask(&id, &first).await),
        access_token(&it.ask(&id, &rotated.client_secret).await),
    );
    for token in [&of_first, &of_second] {
        it.scim.with_token(token).get("/Users").await.expect(200);
    }
    it.revoke("entra", &rotated.credential.unwrap().secrets[0].id).await;
    it.until_refused(&of_first).await;
    it.scim.with_token(&of_second).get("/Users").await.expect(200);
    json_of(&it.ask(&id, &first).await, 401);
    it.revoke("entra", "").await;
    it.until_refused(&of_second).await;
    json_of(&it.ask(&id, &rotated.client_secret).await, 401);
}

#[tokio::test]
async fn an_assertion_stands_in_for_a_secret_only_as_the_client_is_set_up() {
    let (issuer, it) = with_entra(Setup::default()).await;
    let id = it.client_of("entra", &issuer).await;
    let (other_client, _) = it.client("with-a-secret").await;
    let right = issuer.assertion_claims(AUDIENCE);
    let with = |name: &str, value: Value| {
        let mut claims = right.clone();
        claims[name] = value;
        issuer.sign(&claims)
    };
    let now = right["iat"].as_i64().unwrap();
    let bare = AUDIENCE.strip_prefix("api://").unwrap();
    let other = "6e1f0c46-0b7d-4c8d-9f4e-0c0fdb6c00ff";
    let sts = format!("{}/{}/", issuer.authority(), issuer.tenant_id);
    let accepted = [
        ("as it is", issuer.sign(&right)),
        ("the bare audience", with("aud", json!(bare))),
        ("one audience of several", with("aud", json!(["x", AUDIENCE]))),
        ("the older issuer", with("iss", json!(sts))),
        ("appid in place of azp", with("appid", right["azp"].clone())),
        ("our clock is late", with("nbf", json!(now + 240))),
        ("our clock is early", with("exp", json!(now - 240))),
    ];
    for (what, assertion) in &accepted {
        // Twice: Entra uses one again while it is good.
        for _ in 0..2 {
            let token = access_token(&it.show(&id, assertion).await);
            it.scim.with_token(&token).get("/Users").await.expect(200);
        }
        assert_eq!(
            it.show(&other_client, assertion).await.status,
            401,
            "{what}: of another client"
        );
    }
    let no_client = [
        GRANT,
        ("client_assertion_type", ASSERTION),
        ("client_assertion", &accepted[0].1),
    ];
    access_token(&Answer::of(it.token_request().form(&no_client)).await);

    let signature_of_another = {
        let (head, _) = accepted[0].1.rsplit_once('.').unwrap();
        let (_, signature) = accepted[1].1.rsplit_once('.').unwrap();
        format!("{head}.{signature}")
    };
    let refused = [
        ("another Entra tenant", with("tid", json!(other))),
        (
            "another issuer",
            with("iss", json!(format!("{}/{other}/v2.0", issuer.authority()))),
        ),
        ("another audience", with("aud", json!("api://other"))),
        ("another application", with("azp", json!(other))),
        ("two applications", with("appid", json!(other))),
        ("no application", with("azp", Value::Null)),
        ("another service principal", with("sub", json!(other))),
        ("it has ended", with("exp", json!(now - 360))),
        ("it has not begun", with("nbf", json!(now + 360))),
        ("it never ends", with("exp", Value::Null)),
        ("Entra's own token", issuer.own_token()),
        ("another's signature", signature_of_another),
        (
            "no signature",
            format!("{}.", accepted[0].1.rsplit_once('.').unwrap().0),
        ),
        ("half of it", accepted[0].1[..100].to_owned()),
    ];
    for (what, assertion) in refused {
        let body = json_of(&it.show(&id, &assertion).await, 401);
        assert_eq!(body["error"], "invalid_client", "{what}");
        assert!(!body.to_string().contains(&assertion), "{what}");
    }
    // An assertion is for the token endpoint, and opens nothing by itself.
    assert_eq!(it.scim.with_token(&accepted[0].1).get("/Users").await.status, 401);
}

#[tokio::test]
async fn a_request_is_finished_whose_token_ends_meanwhile() {
    let it = Setup::default()
        .gateway(&["--clock-skew=0"])
        .identity(&["--answer-wait=20s"])
        .adapter(&["--platform-timeout=10s"])
        .access_tokens_for(Duration::from_secs(2))
        .start()
        .await;
    let (id, secret) = it.client("entra").await;
    let slow = json!({"method": "CDirectoryService/CreateUser", "fault": "slow", "delay_ms": 4000, "times": 1});
    it.platform.fault(slow).await;
    let scim = it.scim.with_token(&access_token(&it.ask(&id, &secret).await));
    scim.post("/Users", &user("late@kestrel.example")).await.expect(201);
    assert_eq!(it.platform.calls_of("CDirectoryService/CreateUser").await, 1);
    assert_eq!(scim.get("/Users").await.status, 401, "it has ended");
}

#[tokio::test]
async fn while_identity_service_is_away_nobody_is_told_401() {
    let mut it = Deployment::start().await;
    let (id, secret) = it.client("entra").await;
    let token = access_token(&it.ask(&id, &secret).await);
    it.identity_goes_away().await;
    let scim = it.scim.with_token(&token);
    // For ten seconds the verdict stands, and the call behind it fails; then there is no verdict.
    let began = tokio::time::Instant::now();
    while began.elapsed() < Duration::from_secs(12) {
        for answer in [
            scim.get("/Users").await,
            scim.post("/Users", &user("late@kestrel.example")).await,
        ] {
            assert_eq!(answer.status, 503, "{}", answer.text);
        }
        let asked = it.ask(&id, &secret).await;
        assert_eq!(asked.status, 503, "{}", asked.text);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(scim.get("/Users").await.header("retry-after"), "5");
}
