//! Entra's own tokens, and the keys that they are checked by, whatever becomes of the endpoint that publishes them.

use std::{sync::Arc, time::Duration};

use entra_simulator::{Issuer, KeySetFault};
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::with_entra;
use crate::deployment::{Deployment, Setup};

async fn status(it: &Deployment, token: &str) -> u16 {
    it.scim.with_token(token).get("/Users").await.status.as_u16()
}

/// Waits until a token is answered like that, and never with 401 meanwhile.
async fn until(it: &Deployment, token: &str, wanted: u16) {
    let reached = async {
        loop {
            match status(it, token).await {
                found if found == wanted => return,
                401 => panic!("a fault of the keys was told as one of the credential"),
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reached).await.unwrap();
}

#[tokio::test]
async fn entras_own_token_is_bound_to_its_tenant_and_application() {
    let (issuer, it) = with_entra(Setup::default()).await;
    let right = issuer.own_token_claims();
    let with = |name: &str, value: Value| {
        let mut claims = right.clone();
        claims[name] = value;
        issuer.sign(&claims)
    };
    assert_eq!(status(&it, &issuer.sign(&right)).await, 200);
    let other = "6e1f0c46-0b7d-4c8d-9f4e-0c0fdb6c00ff";
    let now = right["iat"].as_i64().unwrap();
    for (what, token) in [
        ("another Entra tenant", with("tid", json!(other))),
        ("no Entra tenant", with("tid", Value::Null)),
        (
            "another issuer",
            with("iss", json!(format!("{}/{other}/", issuer.authority()))),
        ),
        ("another audience", with("aud", json!(other))),
        ("no audience", with("aud", Value::Null)),
        ("another application", with("appid", json!(other))),
        ("no application", with("appid", Value::Null)),
        ("it has ended", with("exp", json!(now - 360))),
        ("it has not begun", with("nbf", json!(now + 360))),
    ] {
        assert_eq!(status(&it, &token).await, 401, "{what}");
    }
}

#[tokio::test]
async fn the_algorithm_is_ours_to_choose_and_the_key_the_issuers() {
    let (issuer, it) = with_entra(Setup::default()).await;
    let claims = issuer.own_token_claims();
    let right = issuer.sign(&claims);
    assert_eq!(status(&it, &right).await, 200);
    let kid = jsonwebtoken::decode_header(&right).unwrap().kid;
    // What everybody knows of the key, as a secret.
    let by_hmac = |kid: Option<String>| {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = kid;
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(b"public")).unwrap()
    };
    let unsigned = {
        // {"alg":"none"}
        let (_, rest) = right.split_once('.').unwrap();
        let (payload, _) = rest.split_once('.').unwrap();
        format!("eyJhbGciOiJub25lIn0.{payload}.")
    };
    let somebody_else = Issuer::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    for (what, token) in [
        ("HMAC by the key's id", by_hmac(kid)),
        ("no key's id", by_hmac(None)),
        ("no signature", unsigned),
        ("nothing but dots", "eyJ..".to_owned()),
    ] {
        assert_eq!(status(&it, &token).await, 401, "{what}");
    }
    // A key that the issuer does not have: the set is looked into once more, and then it is certain.
    until_certain(&it, &somebody_else.sign(&claims)).await;
}

/// Waits until a token is refused; before the set may be fetched again nobody can say, and it is 503.
async fn until_certain(it: &Deployment, token: &str) {
    let refused = async {
        loop {
            match status(it, token).await {
                401 => return,
                503 => tokio::time::sleep(Duration::from_millis(100)).await,
                other => panic!("{other}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused).await.unwrap();
}

#[tokio::test]
async fn while_keys_cannot_be_had_it_is_our_fault_and_known_keys_serve_on() {
    let (issuer, it) = with_entra(Setup::default()).await;
    let known = issuer.own_token();
    until(&it, &known, 200).await;
    for fault in [
        KeySetFault::Down,
        KeySetFault::Huge,
        KeySetFault::Garbage,
        KeySetFault::Redirect,
        KeySetFault::Slow(Duration::from_secs(60)),
    ] {
        issuer.fault(fault);
        issuer.rotate(false).await;
        let new = issuer.own_token();
        assert_eq!(status(&it, &new).await, 503, "{fault:?}");
        assert_eq!(status(&it, &known).await, 200, "{fault:?}");
    }
    issuer.fault(KeySetFault::None);
    until(&it, &issuer.own_token(), 200).await;
}

#[tokio::test]
async fn no_token_has_keys_fetched_but_of_who_is_trusted_and_not_often() {
    let (issuer, it) = with_entra(Setup::default()).await;
    until(&it, &issuer.own_token(), 200).await;
    let stranger = Arc::new(Issuer::start(([127, 0, 0, 1], 0).into()).await.unwrap());
    let before = issuer.asked();
    let flood = (0..200).map(|nth| {
        let mut claims = issuer.own_token_claims();
        if nth % 2 == 0 {
            claims["tid"] = json!(stranger.tenant_id);
        }
        claims["nonce"] = json!(nth);
        stranger.sign(&claims)
    });
    let flood: Vec<_> = flood.collect();
    let answers = join_all(flood.iter().map(|token| status(&it, token))).await;
    // Of who is trusted it takes a look into the set, or until there may be one, to be certain.
    assert!(answers.iter().all(|answer| [401, 503].contains(answer)), "{answers:?}");
    assert_eq!(status(&it, &issuer.own_token()).await, 200);
    assert_eq!(stranger.asked(), 0);
    assert!(issuer.asked() - before <= 2, "{}", issuer.asked() - before);
}
