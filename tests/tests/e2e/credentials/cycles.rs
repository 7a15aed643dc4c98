//! The simulated Entra runs its cycles with each kind of credential, and nothing is missing in the end.

use std::time::Duration;

use entra_simulator::{Placed, Rehearsal, Report, SignIn, VerifyOptions, sync};
use proto::identity::v1::RotateSigningKeyRequest;

use super::{AUDIENCE, with_entra};
use crate::deployment::{Deployment, Setup, TENANT};

/// Runs an initial cycle, changes, a cycle and a restart with nothing to do, and compares.
async fn cycles(it: &Deployment, sign_in: SignIn) -> Report {
    let rehearsal = Rehearsal {
        users: 12,
        groups: 3,
        cycles: 1,
        // Where a key is new, it is 503 until the set may be fetched again.
        retry_for: Duration::from_secs(60),
        verify: VerifyOptions {
            platform_url: Some(it.platform.url().to_owned()),
            settle: Duration::from_secs(60),
            ..VerifyOptions::default()
        },
        ..Rehearsal::new(it.scim.base(), sign_in)
    };
    sync(&rehearsal, None).await.unwrap()
}

async fn by_secret(it: &Deployment, placed: Placed) -> SignIn {
    let (client_id, secret) = it.client("entra").await;
    SignIn::ClientCredentials {
        token_url: it.token_url(),
        client_id,
        client_secret: secret.into(),
        placed,
    }
}

#[track_caller]
fn is_clean(report: &Report) {
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn by_client_credentials_in_the_header() {
    let it = Deployment::start().await;
    let sign_in = by_secret(&it, Placed::Header).await;
    is_clean(&cycles(&it, sign_in).await);
}

#[tokio::test]
async fn by_client_credentials_in_the_form() {
    let it = Deployment::start().await;
    let sign_in = by_secret(&it, Placed::Form).await;
    is_clean(&cycles(&it, sign_in).await);
}

#[tokio::test]
async fn by_assertions_in_place_of_a_secret() {
    let (issuer, it) = with_entra(Setup::default()).await;
    let client_id = it.client_of("entra", &issuer).await;
    let sign_in = SignIn::Assertion {
        token_url: it.token_url(),
        client_id: Some(client_id),
        issuer,
        audience: AUDIENCE.to_owned(),
    };
    is_clean(&cycles(&it, sign_in).await);
}

#[tokio::test]
async fn by_the_token_that_entra_makes_for_itself() {
    let (issuer, it) = with_entra(Setup::default()).await;
    is_clean(&cycles(&it, SignIn::EntraToken(issuer)).await);
}

#[tokio::test]
async fn by_tokens_that_end_within_the_cycle() {
    let it = Setup::default()
        .gateway(&["--clock-skew=0"])
        .access_tokens_for(Duration::from_secs(1))
        .start()
        .await;
    let sign_in = by_secret(&it, Placed::Header).await;
    is_clean(&cycles(&it, sign_in).await);
}

#[tokio::test]
async fn by_tokens_that_are_ended_within_the_cycle() {
    let it = Deployment::start().await;
    let sign_in = by_secret(&it, Placed::Form).await;
    let mut service = it.credentials();
    let ends = async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let request = RotateSigningKeyRequest {
                tenant: TENANT.to_owned(),
                end_tokens: true,
            };
            service.rotate_signing_key(request).await.unwrap();
        }
    };
    let report = tokio::select! {
        report = cycles(&it, sign_in) => report,
        () = ends => unreachable!("it goes on until the cycles are over"),
    };
    is_clean(&report);
}

#[tokio::test]
async fn while_entra_takes_new_keys() {
    let (issuer, it) = with_entra(
        Setup::default()
            .gateway(&["--clock-skew=0"])
            .access_tokens_for(Duration::from_secs(1)),
    )
    .await;
    let client_id = it.client_of("entra", &issuer).await;
    let sign_in = SignIn::Assertion {
        token_url: it.token_url(),
        client_id: Some(client_id),
        issuer: issuer.clone(),
        audience: AUDIENCE.to_owned(),
    };
    let rotates = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        issuer.rotate(true).await;
        std::future::pending::<()>().await;
    };
    let report = tokio::select! {
        report = cycles(&it, sign_in) => report,
        () = rotates => unreachable!("it goes on until the cycles are over"),
    };
    is_clean(&report);
}
