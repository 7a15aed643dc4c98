//! Users: defaults, names, entity tags, repeats.

use identity_service::{
    directory::{Caller, request_key},
    error::Error,
    id::Kind,
};
use proto::identity::v1::DeleteUserRequest;
use serde_json::{Value, json};

use super::{Home, read};

#[tokio::test]
async fn a_user_about_whom_nothing_is_said_is_active() {
    let home = Home::new();
    for (body, active) in [
        (json!({"userName": "a"}), true),
        (json!({"userName": "b", "active": null}), true),
        (json!({"userName": "c", "active": "False"}), false),
        (json!({"userName": "d", "active": true}), true),
    ] {
        assert_eq!(home.create(body.clone()).await.document["active"], active, "{body}");
    }
}

#[tokio::test]
async fn a_replacement_that_is_silent_about_active_lets_nobody_in() {
    let home = Home::new();
    let id = home
        .create(json!({"userName": "odile", "active": false, "title": "Dr"}))
        .await
        .id
        .to_string();
    let replace = async |body: Value| {
        let replaced = home.directory.replace_user(&id, body, Caller::default()).await;
        let (record, changed) = replaced.unwrap();
        (record.document, changed)
    };
    let (document, changed) = replace(json!({"userName": "odile"})).await;
    assert_eq!(
        (&document["active"], document.get("title"), changed),
        (&json!(false), None, true)
    );
    assert!(
        !replace(json!({"userName": "odile"})).await.1,
        "the same again changes nothing"
    );
    assert_eq!(
        replace(json!({"userName": "odile", "active": true})).await.0["active"],
        true
    );
}

#[tokio::test]
async fn removing_active_takes_the_word_away_and_lets_nobody_in() {
    let home = Home::new();
    let remove = json!([{"op": "remove", "path": "active"}]);
    for (active, kept) in [(false, Some(json!(null))), (true, None)] {
        let id = home
            .create(json!({"userName": format!("odile {active}"), "active": active}))
            .await
            .id;
        let (record, changed) = home.patch_user(id, remove.clone()).await;
        assert_eq!((record.document.get("active"), changed), (kept.as_ref(), true));
        // Neither a repeat nor another change brings it back, nor does a PUT without it let anybody in.
        assert!(!home.patch_user(id, remove.clone()).await.1);
        let (record, _) = home
            .patch_user(id, json!([{"op": "add", "path": "title", "value": "Dr"}]))
            .await;
        assert_eq!(record.document.get("active"), kept.as_ref());
        let body = json!({"userName": format!("odile {active}")});
        let put = home
            .directory
            .replace_user(&id.to_string(), body, Caller::default())
            .await;
        assert_ne!(put.unwrap().0.document["active"], json!(!active));
        let (record, _) = home
            .patch_user(id, json!([{"op": "Replace", "path": "active", "value": "True"}]))
            .await;
        assert_eq!(record.document["active"], true);
    }
}

#[tokio::test]
async fn a_patch_is_applied_whole_or_not_at_all() {
    let home = Home::new();
    let id = home.user("odile").await;
    let operations = read(json!([
        {"op": "replace", "path": "title", "value": "Dr"},
        {"op": "replace", "path": "active", "value": "perhaps"},
    ]));
    let refused = home
        .directory
        .patch_user(&id.to_string(), operations.clone(), Caller::default())
        .await;
    assert!(matches!(refused, Err(Error::Scim(_))), "{refused:?}");
    let record = home.record(Kind::User, id).await;
    assert_eq!((record.document.get("title"), record.version), (None, 1));
}

#[tokio::test]
async fn a_taken_name_is_refused_with_the_attribute() {
    let home = Home::new();
    home.user("taken").await;
    let id = home.user("odile").await.to_string();
    let rename = read(json!([{"op": "replace", "path": "userName", "value": "TAKEN"}]));
    let outcomes = [
        home.directory
            .create_user(json!({"userName": "Taken"}), Caller::default())
            .await
            .map(drop),
        home.directory
            .patch_user(&id, rename.clone(), Caller::default())
            .await
            .map(drop),
    ];
    for refused in outcomes {
        assert!(
            matches!(
                refused,
                Err(Error::NameTaken {
                    attribute: "userName",
                    ..
                })
            ),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn an_entity_tag_must_be_the_present_one() {
    let home = Home::new();
    let id = home.user("odile").await;
    let (text, patch) = (
        id.to_string(),
        read(json!([{"op": "replace", "path": "title", "value": "Dr"}])),
    );
    let with = |etag: &str| Caller {
        etag: Some(etag.to_owned()),
        ..Caller::default()
    };
    for tag in ["W/\"2\"", "W/\"never issued\"", "nonsense", ""] {
        let refused = home.directory.patch_user(&text, patch.clone(), with(tag)).await;
        assert!(
            matches!(refused, Err(Error::VersionMismatch { .. })),
            "{tag}: {refused:?}"
        );
        let refused = home.directory.delete(Kind::User, &text, with(tag)).await;
        assert!(
            matches!(refused, Err(Error::VersionMismatch { .. })),
            "{tag}: {refused:?}"
        );
    }
    for (tag, version) in [("W/\"1\"", 2), ("*", 2)] {
        let (record, _) = home
            .directory
            .patch_user(&text, patch.clone(), with(tag))
            .await
            .unwrap();
        assert_eq!(record.version, version, "{tag}");
    }
    home.directory.delete(Kind::User, &text, with("\"2\"")).await.unwrap();
}

#[tokio::test]
async fn a_text_that_is_no_id_names_nothing() {
    let home = Home::new();
    let group = home.group("sales", &[]).await.to_string();
    for id in ["", "x", "018f2f3e000070008000000000000001", group.as_str()] {
        let missing = home.directory.get(Kind::User, id).await;
        assert!(matches!(missing, Err(Error::NotFound { .. })), "{id}: {missing:?}");
    }
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_though_its_subject_is_gone() {
    let home = Home::new();
    let id = home.user("odile").await.to_string();
    let under = |request_id: &str, method: &str| Caller {
        request: request_key(
            Some(request_id.to_owned()),
            method,
            &DeleteUserRequest::default(),
            &Value::Null,
        )
        .unwrap(),
        ..Caller::default()
    };
    let patch = read(json!([{"op": "replace", "path": "title", "value": "Dr"}]));
    let patched = home
        .directory
        .patch_user(&id, patch.clone(), under("r1", "PatchUser"))
        .await
        .unwrap();
    for _ in 0..2 {
        home.directory
            .delete(Kind::User, &id, under("r2", "DeleteUser"))
            .await
            .unwrap();
    }
    let again = home
        .directory
        .patch_user(&id, patch.clone(), under("r1", "PatchUser"))
        .await;
    assert_eq!(again.unwrap(), patched);
    let reused = home.directory.delete(Kind::User, &id, under("r1", "DeleteUser")).await;
    assert!(matches!(reused, Err(Error::RequestIdReused(id)) if id == "r1"));
    let gone = home.directory.delete(Kind::User, &id, Caller::default()).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
}

#[test]
fn a_request_id_is_bounded_and_may_be_left_out() {
    let key = |id: Option<&str>| request_key(id.map(str::to_owned), "M", &DeleteUserRequest::default(), &Value::Null);
    assert!(key(None).unwrap().is_none());
    assert!(key(Some("")).unwrap().is_none());
    assert!(key(Some(&"x".repeat(64))).unwrap().is_some());
    assert!(matches!(
        key(Some(&"x".repeat(65))),
        Err(Error::InvalidRequest {
            field: "request_id",
            ..
        })
    ));
}

#[tokio::test]
async fn a_taken_name_says_who_has_it() {
    let home = Home::new();
    let active = home.user("ada").await;
    let inactive = home.create(json!({"userName": "bo", "active": false})).await.id;
    let group = home.group("ada", &[]).await;
    for (name, id, said) in [("ADA", active, false), ("bo", inactive, true)] {
        let refused = home
            .directory
            .create_user(json!({"userName": name}), Caller::default())
            .await;
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("userName") && error.contains(&id.to_string()), "{error}");
        assert_eq!(error.contains("inactive"), said, "{error}");
    }
    let refused = home
        .directory
        .create_group(json!({"displayName": "Ada"}), Caller::default())
        .await;
    let error = refused.unwrap_err().to_string();
    assert!(
        error.contains(&group.to_string()) && !error.contains("inactive"),
        "{error}"
    );
}

#[tokio::test]
async fn a_login_name_has_no_blanks_around_it() {
    let home = Home::new();
    let id = home.user("ada").await.to_string();
    for name in [" bo", "bo ", "\tbo", "bo\u{a0}"] {
        let operations = read(json!([{"op": "replace", "path": "userName", "value": name}]));
        let outcomes = [
            home.directory
                .create_user(json!({"userName": name}), Caller::default())
                .await
                .map(drop),
            home.directory
                .replace_user(&id, json!({"userName": name}), Caller::default())
                .await
                .map(drop),
            home.directory
                .patch_user(&id, operations, Caller::default())
                .await
                .map(drop),
        ];
        for refused in outcomes {
            let error = refused.unwrap_err();
            assert!(
                matches!(&error, Error::Scim(error) if error.kind == scim::ErrorKind::InvalidValue),
                "{error:?}"
            );
            assert!(error.to_string().contains("`userName`"), "{error}");
        }
    }
}
