//! Who may call: one text of a tenant, which is replaced as a whole.

use identity_service::{
    id::Tenant,
    store::{Act, CredentialAct, Deed, Logged, MOVED_AT_ONCE, Origin},
};

use super::{
    Engine,
    bench::{Bench, at},
    moving::{export, import},
};

const ONE: &str = r#"{"credentials":[{"name":"ä\u0000"}]}"#;
const TWO: &str = r#"{"credentials":[]}"#;

async fn keep(bench: &Bench, seen: Option<&str>, credentials: &str) -> bool {
    let (seen, credentials) = (seen.map(str::to_owned), credentials.to_owned());
    let kept = bench
        .store
        .keep_credentials(&bench.tenant, seen, credentials, None, at(1));
    kept.await.unwrap()
}

async fn kept(bench: &Bench) -> Option<String> {
    bench.store.credentials(&bench.tenant).await.unwrap()
}

pub(super) async fn they_are_replaced_by_who_saw_the_present_ones(engine: &dyn Engine) {
    let mut bench = Bench::new(engine).await;
    assert_eq!(kept(&bench).await, None);
    assert!(!keep(&bench, Some(ONE), TWO).await, "there are none");
    assert!(keep(&bench, None, ONE).await);
    assert!(!keep(&bench, None, TWO).await, "there are some");
    assert!(!keep(&bench, Some(TWO), TWO).await);
    assert_eq!(kept(&bench).await.as_deref(), Some(ONE));
    assert!(keep(&bench, Some(ONE), TWO).await);
    assert_eq!(kept(&bench).await.as_deref(), Some(TWO));
    bench.tenant = Tenant::new("other");
    assert_eq!(kept(&bench).await, None);
}

pub(super) async fn what_was_done_to_them_is_logged_with_the_change(engine: &dyn Engine) {
    let bench = Bench::new(engine).await;
    let origin = Some(Origin {
        credential: Some("admin-hana".to_owned()),
        ..Origin::default()
    });
    let told = CredentialAct {
        what: "entra was made".to_owned(),
        origin: origin.clone(),
    };
    let keep = async |seen: Option<&str>, text: &str| {
        let (seen, text, told) = (seen.map(str::to_owned), text.to_owned(), Some(told.clone()));
        bench
            .store
            .keep_credentials(&bench.tenant, seen, text, told, at(1))
            .await
            .unwrap()
    };
    assert!(!keep(Some("not there"), ONE).await);
    assert!(bench.log(0).await.is_empty(), "what was not done is not logged");
    assert!(keep(None, ONE).await);
    let log = bench.log(0).await;
    let [entry] = &log[..] else { panic!("{log:?}") };
    let act = Act {
        act: Deed::Credential,
        resource: None,
        by: String::new(),
        reason: "entra was made".to_owned(),
        origin,
    };
    assert_eq!((entry.at, &entry.what), (at(1), &Logged::Act(act)));
}

pub(super) async fn they_move_with_the_tenant(engine: &dyn Engine) {
    let here = Bench::new(engine).await;
    keep(&here, None, ONE).await;
    let entries = export(&here, MOVED_AT_ONCE).await;
    let there = Bench::new(engine).await;
    import(&there, &entries).await;
    import(&there, &entries).await;
    assert_eq!(kept(&there).await.as_deref(), Some(ONE));
}
