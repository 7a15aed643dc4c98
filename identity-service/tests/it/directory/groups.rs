//! Groups: what member steps of a PATCH come to, in the order they were given.

use std::collections::BTreeSet;

use identity_service::{
    config::{MembersReplace, Policy, UnknownMembers},
    directory::Caller,
    error::Error,
    id::{Kind, ResourceId},
};
use serde_json::{Value, json};

use super::{Home, policy, read};

/// A name for each member in the tables: `a`, `b`, … stand for ids.
const LETTERS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Puts ids in the place of `<a>`, `<b>`, ….
fn spelled(value: &Value, users: &[ResourceId]) -> Value {
    let mut text = value.to_string();
    for (letter, id) in LETTERS.iter().zip(users) {
        text = text.replace(&format!("<{letter}>"), &id.to_string());
    }
    serde_json::from_str(&text).unwrap()
}

/// Patches a group of `a` and `b`, and shows who is in it then.
async fn after(policy: Policy, operations: &Value) -> (String, bool) {
    let home = Home::with(policy);
    let mut users = Vec::new();
    for letter in LETTERS {
        users.push(home.user(letter).await);
    }
    let group = home.group("g", &users[..2]).await;
    let operations = read(spelled(operations, &users));
    let patched = home
        .directory
        .patch_group(&group.to_string(), operations.clone(), Caller::default())
        .await;
    let (record, changed) = patched.unwrap();
    let members: BTreeSet<_> = home.members(group).await.into_iter().collect();
    assert_eq!(record.member_count, members.len() as u64);
    assert_eq!(record.version, 1 + u64::from(changed));
    let shown = LETTERS
        .iter()
        .zip(&users)
        .filter(|(_, id)| members.contains(id))
        .map(|(letter, _)| *letter);
    (shown.collect(), changed)
}

fn member(letter: &str) -> Value {
    json!([{"value": format!("<{letter}>")}])
}

#[tokio::test]
async fn member_steps_come_to_one_change_in_their_order() {
    let (add, remove, replace) = (
        |letter| json!({"op": "Add", "path": "members", "value": member(letter)}),
        |letter| json!({"op": "Remove", "path": "members", "value": member(letter)}),
        |letter| json!({"op": "Replace", "path": "members", "value": member(letter)}),
    );
    let by_filter = |filter: &str| json!({"op": "remove", "path": format!("members[{filter}]")});
    let everybody = json!({"op": "remove", "path": "members"});
    let cases = [
        (json!([]), "ab"),
        (json!([add("c")]), "abc"),
        (json!([add("a")]), "ab"),
        (json!([remove("a")]), "b"),
        (json!([remove("c")]), "ab"),
        (json!([replace("c")]), "c"),
        (json!([everybody]), ""),
        (json!([{"op": "replace", "path": "members", "value": []}]), ""),
        (json!([{"op": "add", "path": "members", "value": []}]), "ab"),
        (json!([{"op": "remove", "path": "members", "value": []}]), "ab"),
        // Dialects: no path, a bare id, a filter in another letter case.
        (json!([{"op": "Add", "value": {"members": member("c")}}]), "abc"),
        (json!([{"op": "add", "path": "members", "value": "<c>"}]), "abc"),
        (json!([by_filter("value eq \"<a>\"")]), "b"),
        (json!([by_filter("VALUE EQ \"<a>\" or value eq \"<b>\"")]), ""),
        (json!([by_filter("not (value eq \"<a>\")")]), "a"),
        (json!([by_filter("type eq \"User\"")]), ""),
        (json!([by_filter("type eq \"Group\"")]), "ab"),
        (json!([by_filter("value eq \"no id of ours\"")]), "ab"),
        // Order decides.
        (json!([add("c"), remove("c")]), "ab"),
        (json!([remove("a"), add("a")]), "ab"),
        (json!([replace("c"), add("d")]), "cd"),
        (json!([add("d"), replace("c")]), "c"),
        (json!([replace("c"), remove("c")]), ""),
        (json!([everybody, add("a")]), "a"),
        (json!([add("c"), everybody]), ""),
        (json!([add("c"), by_filter("type eq \"User\"")]), ""),
        (json!([replace("c"), by_filter("not (value eq \"<c>\")")]), "c"),
        (json!([remove("a"), by_filter("type eq \"User\""), add("e")]), "e"),
    ];
    for (operations, expected) in cases {
        let (members, changed) = after(policy(), &operations).await;
        assert_eq!(members, expected, "{operations}");
        assert_eq!(changed, expected != "ab", "{operations}");
    }
}

#[tokio::test]
async fn an_additive_replace_takes_nobody_out() {
    let additive = || Policy {
        members_replace: MembersReplace::Additive,
        ..policy()
    };
    let cases = [
        (
            json!([{"op": "replace", "path": "members", "value": member("c")}]),
            "abc",
        ),
        (json!([{"op": "replace", "path": "members", "value": []}]), "ab"),
        (json!([{"op": "remove", "path": "members", "value": member("a")}]), "b"),
        (json!([{"op": "remove", "path": "members"}]), ""),
    ];
    for (operations, expected) in cases {
        assert_eq!(after(additive(), &operations).await.0, expected, "{operations}");
    }
}

#[tokio::test]
async fn attributes_and_members_change_in_one_step() {
    let home = Home::new();
    let user = home.user("odile").await;
    let group = home.group("old", &[]).await;
    let operations = read(json!([
        {"op": "replace", "path": "displayName", "value": "new"},
        {"op": "add", "path": "members", "value": [{"value": user.to_string().to_uppercase()}]},
    ]));
    let patched = home
        .directory
        .patch_group(&group.to_string(), operations.clone(), Caller::default())
        .await;
    let (record, changed) = patched.unwrap();
    assert_eq!((record.text("displayName"), record.member_count), (Some("new"), 1));
    assert_eq!((record.version, changed), (2, true));
    assert!(record.document.get("members").is_none(), "members are kept as a set");
}

#[tokio::test]
async fn what_cannot_be_a_member_is_named_and_nothing_changes() {
    let home = Home::new();
    let user = home.user("odile").await;
    let (group, inner) = (home.group("g", &[user]).await, home.group("inner", &[]).await);
    let nobody = ResourceId::generate().to_string();
    let patch = async |value: &str| {
        let operations = read(json!([
            {"op": "replace", "path": "displayName", "value": "renamed"},
            {"op": "add", "path": "members", "value": [{"value": value}]},
        ]));
        let id = group.to_string();
        let patched = home
            .directory
            .patch_group(&id, operations.clone(), Caller::default())
            .await;
        patched.unwrap_err()
    };
    assert!(matches!(patch(&nobody).await, Error::UnknownMember(id) if id == nobody));
    assert!(matches!(patch("no id of ours").await, Error::UnknownMember(id) if id == "no id of ours"));
    assert!(matches!(patch(&inner.to_string()).await, Error::NestedGroup(id) if id == inner.to_string()));
    let operations = read(json!([{"op": "replace", "path": "members.type", "value": "x"}]));
    let refused = home
        .directory
        .patch_group(&group.to_string(), operations.clone(), Caller::default())
        .await;
    assert!(
        matches!(&refused, Err(Error::Scim(error)) if error.kind == scim::ErrorKind::Mutability),
        "{refused:?}"
    );
    let record = home.record(Kind::Group, group).await;
    assert_eq!((record.version, record.text("displayName")), (1, Some("g")));
}

#[tokio::test]
async fn unknown_members_are_kept_where_the_tenant_wants_it() {
    let keep = Policy {
        unknown_members: UnknownMembers::Keep,
        ..policy()
    };
    let home = Home::with(keep);
    let nobody = ResourceId::generate();
    let group = home.group("g", &[nobody]).await;
    assert_eq!(home.members(group).await, [nobody]);
}

#[tokio::test]
async fn a_replacement_is_exact_and_its_repeat_changes_nothing() {
    let additive = Policy {
        members_replace: MembersReplace::Additive,
        ..policy()
    };
    let home = Home::with(additive);
    let users = [home.user("a").await, home.user("b").await];
    let group = home.group("g", &users).await;
    let body =
        json!({"displayName": "g", "members": [{"value": users[1].to_string()}, {"value": users[1].to_string()}]});
    for changed in [true, false] {
        let id = group.to_string();
        let replaced = home.directory.replace_group(&id, body.clone(), Caller::default()).await;
        let (record, did) = replaced.unwrap();
        assert_eq!(
            (did, record.version, record.member_count),
            (changed, 2, 1),
            "a PUT is exact under any policy"
        );
    }
    assert_eq!(home.members(group).await, users[1..]);
}

#[tokio::test]
async fn members_are_looked_through_only_so_often() {
    let home = Home::new();
    let users = [home.user("a").await, home.user("b").await];
    let group = home.group("g", &users).await.to_string();
    let patch = async |filter: &str, count: usize| {
        let removal = json!({"op": "remove", "path": format!("members[{filter}]")});
        let operations = read(json!(vec![removal; count]));
        let patched = home.directory.patch_group(&group, operations, Caller::default()).await;
        patched.map(|(_, changed)| changed)
    };
    let secret = ResourceId::generate();
    // By id it costs next to nothing, however often.
    assert!(!patch(&format!("value eq \"{secret}\""), 1_000).await.unwrap());
    let filter = format!("type eq \"Group\" or value sw \"{secret}\"");
    assert!(!patch(&filter, 16).await.unwrap());
    match patch(&filter, 17).await.unwrap_err() {
        Error::Scim(error) => {
            assert_eq!(error.kind, scim::ErrorKind::TooMany);
            assert!(
                error.detail.starts_with("operation 17: `members[…]`"),
                "{}",
                error.detail
            );
            assert!(!error.detail.contains(&secret.to_string()), "{}", error.detail);
        }
        other => panic!("{other:?}"),
    }
    for filter in ["display eq \"Odile\"", "$ref pr"] {
        let error = patch(filter, 1).await.unwrap_err();
        assert!(
            matches!(&error, Error::Scim(error) if error.kind == scim::ErrorKind::InvalidFilter),
            "{error:?}"
        );
    }
    assert!(patch("not (type eq \"Group\")", 1).await.unwrap());
}

#[tokio::test]
async fn a_filter_sees_what_the_steps_before_it_added() {
    let home = Home::new();
    let users = [home.user("a").await, home.user("b").await, home.user("c").await];
    let group = home.group("g", &users[..1]).await;
    let operations = read(json!([
        {"op": "add", "path": "members", "value": [{"value": users[1].to_string()}]},
        {"op": "remove", "path": "members[type eq \"User\"]"},
        {"op": "add", "path": "members", "value": [{"value": users[2].to_string()}]},
    ]));
    let id = group.to_string();
    home.directory
        .patch_group(&id, operations, Caller::default())
        .await
        .unwrap();
    assert_eq!(home.members(group).await, users[2..]);
}

#[tokio::test]
async fn refused_member_steps_do_not_repeat_the_filter() {
    let home = Home::new();
    let group = home.group("g", &[]).await.to_string();
    let operations = read(json!([
        {"op": "remove", "path": "members"},
        {"op": "replace", "path": "members[value eq \"odile.marchetti\"].value", "value": "x"},
    ]));
    let refused = home.directory.patch_group(&group, operations, Caller::default()).await;
    let error = refused.unwrap_err().to_string();
    assert!(
        error.starts_with("operation 2: `members[…].value`") && !error.contains("odile"),
        "{error}"
    );
}
