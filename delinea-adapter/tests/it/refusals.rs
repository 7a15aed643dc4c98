//! What the Platform's refusals are taken for: texts in a language that the built-in table does not know, with a tenant's own
//! matchers and without.

use std::time::Duration;

use proto::error::ErrorReason;
use serde_json::{Value, json};
use tonic::Code;

use crate::world::{World, anna, failed, fresh, linked, reason};

const CREATE: &str = "CDirectoryService/CreateUser";
const CHANGE: &str = "CDirectoryService/ChangeUser";
const NAME: &str = "anna@example.com";

const MATCHERS: &str = r#"[
  {"field": "message", "regex": "^der anmeldename .* ist vergeben", "class": "duplicate"},
  {"field": "message", "contains": "Kontingent", "class": "throttled"},
  {"field": "error_id", "contains": "E_BUSY", "class": "transient"},
  {"field": "message", "contains": "Recht fehlt", "class": "permission"},
  {"field": "message", "contains": "Kennwort", "class": "weak_password"},
  {"field": "message", "contains": "Stellvertreter", "status": "4xx", "class": "challenge"},
  {"status": 423, "class": "transient", "comment": "locked for a while"}
]"#;

async fn world(matchers: bool) -> World {
    let text = if matchers { MATCHERS } else { "" };
    World::with_file("error-matchers-file", text, &["--directory-policy=create_local"]).await
}

fn refusal(message: &str, error_id: &str, status: u16) -> Value {
    json!({"method": CREATE, "fault": "failure", "message": message, "error_id": error_id, "status": status})
}

#[tokio::test]
async fn a_tenants_own_matchers_decide_what_a_refusal_is() {
    use ErrorReason as R;
    let unknown = (Code::FailedPrecondition, R::PlatformRefused);
    for (rule, known, otherwise) in [
        (
            refusal("Das Kontingent ist ersch\u{f6}pft.", "", 200),
            (Code::ResourceExhausted, R::PlatformThrottled),
            unknown,
        ),
        (
            refusal("Bitte sp\u{e4}ter.", "E_BUSY", 200),
            (Code::Unavailable, R::PlatformUncertain),
            unknown,
        ),
        (
            refusal("Das Recht fehlt.", "", 200),
            (Code::PermissionDenied, R::PlatformRefused),
            unknown,
        ),
        (
            refusal("Das Kennwort ist zu schwach.", "", 200),
            (Code::InvalidArgument, R::PlatformRefused),
            unknown,
        ),
        (
            refusal("Stellvertreter", "", 400),
            (Code::FailedPrecondition, R::PlatformRefused),
            unknown,
        ),
        (
            refusal("Gesperrt", "", 423),
            (Code::Unavailable, R::PlatformUncertain),
            unknown,
        ),
        // Without anything that is known, HTTP says what it can.
        (
            refusal("Nein", "", 409),
            (Code::AlreadyExists, R::PlatformObjectExists),
            (Code::AlreadyExists, R::PlatformObjectExists),
        ),
        (refusal("Nein", "", 200), unknown, unknown),
    ] {
        for (matchers, expected) in [(true, known), (false, otherwise)] {
            let world = world(matchers).await;
            world.fault(rule.clone()).await;
            let seen = failed(world.apply_user(fresh(&anna(), NAME)).await);
            assert_eq!(seen, expected, "{rule}, matchers: {matchers}");
            assert!(world.accounts(NAME).await.is_empty());
        }
    }
}

/// The texts of a tenant in another language, not a fault.
#[tokio::test]
async fn a_taken_name_is_known_in_the_tenants_language() {
    let text = "Der Anmeldename {} ist vergeben.";
    for (matchers, expected) in [
        (true, (Code::AlreadyExists, ErrorReason::PlatformObjectExists)),
        (false, (Code::FailedPrecondition, ErrorReason::PlatformRefused)),
    ] {
        let world = world(matchers).await;
        let profile = json!({"local_beside_federated": false, "texts": {"duplicate_user": text}});
        world.profile(profile).await;
        world.strangers(json!({"Name": NAME, "SourceDs": "FDS"})).await;
        let status = world.apply_user(fresh(&anna(), NAME)).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).0), expected, "{status:?}");
        assert!(
            status.message().contains("ist vergeben"),
            "the words are shown: {status:?}"
        );
    }
}

/// Nothing was done, so nothing is looked for; and it is waited as long as the Platform asks.
#[tokio::test]
async fn a_throttled_call_in_an_envelope_is_like_one_by_status() {
    let world = world(true).await;
    let id = world.provision(&anna()).await;
    let rule = json!({"method": CHANGE, "fault": "failure", "message": "Kontingent", "times": 1});
    world.fault(rule).await;
    let called = proto::resource::v1::User {
        display_name: Some("Anna Holm".to_owned()),
        ..anna()
    };
    let later = failed(world.apply_user(linked(&called, &id)).await);
    assert_eq!(later, (Code::ResourceExhausted, ErrorReason::PlatformThrottled));
    world.apply_user(linked(&called, &id)).await.unwrap().applied();
    assert_eq!(world.account(NAME).await["DisplayName"], "Anna Holm");

    let long = json!({"method": CHANGE, "fault": "failure", "message": "Kontingent", "retry_after_s": 3600});
    world.fault(long).await;
    let status = world.apply_user(linked(&anna(), &id)).await.unwrap_err();
    let wait = reason(&status).1.retry_after.unwrap();
    assert!(wait > Duration::from_secs(3000), "{wait:?}");
    let calls = world.state().await["reads"].clone();
    let paused = failed(world.apply_user(linked(&anna(), &id)).await);
    assert_eq!(paused, (Code::ResourceExhausted, ErrorReason::PlatformThrottled));
    assert_eq!(world.state().await["reads"], calls, "nothing is sent meanwhile");
}

/// A name of the very words that a tenant's matcher looks for.
#[tokio::test]
async fn a_quoted_name_does_not_decide_for_a_tenants_own_matchers_either() {
    let world = world(true).await;
    let user = proto::resource::v1::User {
        user_name: Some("kontingent@example.com".to_owned()),
        ..anna()
    };
    let message = "Der Anmeldename kontingent@example.com ist vergeben.";
    world.fault(refusal(message, "", 200)).await;
    let seen = failed(world.apply_user(fresh(&user, "kontingent@example.com")).await);
    assert_eq!(seen, (Code::AlreadyExists, ErrorReason::PlatformObjectExists));
}
