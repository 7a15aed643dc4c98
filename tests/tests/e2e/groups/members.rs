//! Membership: every shape of R15, as a set that loses nothing (P5), and what becomes of members who go or come later.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::{RACK, at};
use crate::deployment::{Deployment, Setup, fault, group};

async fn users<const N: usize>(it: &Deployment) -> [String; N] {
    let mut ids = Vec::new();
    for n in 0..N {
        ids.push(it.scim.create_user(&format!("user{n}@kestrel.example")).await);
    }
    ids.try_into().unwrap()
}

/// The numbers of the members, on the Platform and by SCIM, which must agree.
async fn members(it: &Deployment, id: &str, ids: &[String]) -> Vec<usize> {
    it.settled().await;
    let shown = it.scim.get(&at(id)).await.expect(200);
    let shown = shown
        .get("members")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let shown: BTreeSet<_> = shown
        .iter()
        .map(|member| ids.iter().position(|id| member["value"] == id.as_str()).unwrap())
        .collect();
    let held = it.platform.members(RACK).await;
    let held: BTreeSet<usize> = held
        .iter()
        .map(|name| {
            name.trim_start_matches("user")
                .split('@')
                .next()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert_eq!(held, shown, "SCIM and the Platform");
    held.into_iter().collect()
}

#[tokio::test]
async fn every_shape_adds_removes_and_replaces() {
    let it = Deployment::start().await;
    let ids: [String; 4] = users(&it).await;
    let [a, b, c, d] = &ids;
    let id = it.scim.create_group(RACK, &[a]).await;
    assert_eq!(members(&it, &id, &ids).await, [0]);
    let table: [(Value, &[usize]); 16] = [
        (
            json!({"op": "Add", "path": "members", "value": [{"$ref": null, "value": b}]}),
            &[0, 1],
        ),
        (
            json!({"op": "Add", "path": "members", "value": [{"value": c}, {"value": d}, {"value": a}]}),
            &[0, 1, 2, 3],
        ),
        // Q17: only those that are listed.
        (
            json!({"op": "Remove", "path": "members", "value": [{"$ref": null, "value": b}]}),
            &[0, 2, 3],
        ),
        (
            json!({"op": "Remove", "path": "members", "value": [{"value": b}]}),
            &[0, 2, 3],
        ),
        (
            json!({"op": "remove", "path": format!("members[value eq \"{}\"]", c.to_uppercase())}),
            &[0, 3],
        ),
        (json!({"op": "add", "path": "members", "value": b}), &[0, 1, 3]),
        (
            json!({"name": "addMember", "op": "add", "path": "members", "value": [{"displayName": "x", "value": c}]}),
            &[0, 1, 2, 3],
        ),
        (
            json!({"op": "replace", "path": "members", "value": [{"value": b}, {"value": c}]}),
            &[1, 2],
        ),
        (json!({"op": "replace", "value": {"members": [{"value": a}]}}), &[0]),
        (json!({"op": "Add", "value": {"members": [{"value": d}]}}), &[0, 3]),
        (
            json!([
                {"op": "Remove", "path": "members", "value": [{"value": a}]},
                {"op": "Add", "path": "members", "value": [{"value": b}]},
                {"op": "Add", "path": "members", "value": [{"value": a}]},
            ]),
            &[0, 1, 3],
        ),
        (
            json!([
                {"op": "Add", "path": "members", "value": [{"value": c}]},
                {"op": "remove", "path": format!("members[value eq \"{c}\"]")},
            ]),
            &[0, 1, 3],
        ),
        (
            json!({"op": "remove", "path": format!("members[value eq \"{a}\" or value eq \"{b}\"]")}),
            &[3],
        ),
        (json!({"op": "remove", "path": "members"}), &[]),
        (
            json!({"op": "replace", "path": "members", "value": [{"value": a}, {"value": a.to_uppercase()}]}),
            &[0],
        ),
        (json!({"op": "replace", "path": "members", "value": []}), &[]),
    ];
    for (operations, expected) in table {
        it.scim.patch(&at(&id), operations.clone()).await.expect(204);
        assert_eq!(members(&it, &id, &ids).await, expected, "{operations}");
    }
}

#[tokio::test]
async fn adding_who_is_there_changes_nothing() {
    let it = Deployment::start().await;
    let ids: [String; 2] = users(&it).await;
    let id = it.scim.create_group(RACK, &ids).await;
    it.settled().await;
    let (before, calls) = (it.scim.get(&at(&id)).await.text, it.platform.calls().await);
    for operations in [
        json!({"op": "Add", "path": "members", "value": [{"value": ids[0]}, {"value": ids[1]}]}),
        json!({"op": "replace", "path": "members", "value": [{"value": ids[1]}, {"value": ids[0]}]}),
        json!({"op": "Remove", "path": "members", "value": [{"value": "00000000-0000-4000-8000-000000000000"}, {"value": "x"}]}),
        json!({"op": "replace", "value": {"displayName": RACK}}),
    ] {
        it.scim.patch(&at(&id), operations).await.expect(204);
    }
    it.settled().await;
    assert_eq!(it.scim.get(&at(&id)).await.text, before);
    assert_eq!(it.platform.calls().await, calls);
}

#[tokio::test]
async fn two_hundred_patches_of_one_group_all_survive() {
    let it = Deployment::start().await;
    const N: usize = 200;
    let ids: Vec<String> = stream::iter(0..N)
        .map(|n| {
            let scim = it.scim.clone();
            async move { scim.create_user(&format!("user{n}@kestrel.example")).await }
        })
        .buffered(16)
        .collect()
        .await;
    let none: [&str; 0] = [];
    let id = it.scim.create_group(RACK, &none).await;
    let send = async |operations: Vec<Value>| {
        stream::iter(operations)
            .for_each_concurrent(16, |operation| async {
                it.scim.patch(&at(&id), operation).await.expect(204);
            })
            .await;
    };
    send(
        ids.iter()
            .map(|id| json!({"op": "Add", "path": "members", "value": [{"value": id}]}))
            .collect(),
    )
    .await;
    assert_eq!(
        it.scim.get(&at(&id)).await.expect(200)["members"]
            .as_array()
            .unwrap()
            .len(),
        N
    );
    assert_eq!(it.scim.get(&at(&id)).await.header("etag"), format!("W/\"{}\"", N + 1));
    assert_eq!(members(&it, &id, &ids).await.len(), N);
    // Half of them go while the others are added once more.
    let mixed = ids.iter().enumerate().map(|(n, id)| {
        let op = if n % 2 == 0 { "Remove" } else { "Add" };
        json!({"op": op, "path": "members", "value": [{"value": id}]})
    });
    send(mixed.collect()).await;
    let expected: Vec<_> = (0..N).filter(|n| n % 2 == 1).collect();
    assert_eq!(members(&it, &id, &ids).await, expected);
    let writes = it.platform.calls_of("Roles/UpdateRole").await;
    assert!(writes < 40, "300 changes of members took {writes} writes");
}

#[tokio::test]
async fn an_unknown_member_is_refused_and_nothing_is_done() {
    let it = Deployment::start().await;
    let ids: [String; 2] = users(&it).await;
    let id = it.scim.create_group(RACK, &ids[..1]).await;
    let nested = it.scim.create_group("Nested", &ids).await;
    it.settled().await;
    let (before, calls) = (it.scim.get(&at(&id)).await.text, it.platform.calls().await);
    let nobody = "00000000-0000-4000-8000-00000000abcd";
    for unknown in [nobody, "no id at all", &nested] {
        let mixed = json!([
            {"op": "Replace", "path": "displayName", "value": "Must not be"},
            {"op": "Add", "path": "members", "value": [{"value": ids[1]}, {"value": unknown}]},
        ]);
        assert!(
            it.scim
                .patch(&at(&id), mixed)
                .await
                .error(400, "invalidValue")
                .contains(unknown)
        );
        let replaced = json!({"op": "replace", "path": "members", "value": [{"value": unknown}]});
        assert!(
            it.scim
                .patch(&at(&id), replaced)
                .await
                .error(400, "invalidValue")
                .contains(unknown)
        );
        let put = it.scim.put(&at(&id), &group(RACK, &[unknown])).await;
        assert!(put.error(400, "invalidValue").contains(unknown));
        let created = it.scim.post("/Groups", &group("New", &[unknown])).await;
        assert!(created.error(400, "invalidValue").contains(unknown));
    }
    it.settled().await;
    assert_eq!(it.scim.get(&at(&id)).await.text, before);
    assert!(it.scim.find("/Groups", "displayName eq \"New\"").await.is_empty());
    assert_eq!(it.platform.calls().await, calls);
}

#[tokio::test]
async fn where_unknown_members_are_kept_they_are_shown_and_hold_nobody_up() {
    let it = Setup::default().identity(&["--unknown-members=keep"]).start().await;
    let ids: [String; 1] = users(&it).await;
    let nobody = "00000000-0000-4000-8000-00000000abcd";
    let id = it.scim.create_group(RACK, &[nobody, &ids[0]]).await;
    it.delivered(&id, |delivery| {
        delivery.applied_version == 1 && delivery.pending_members == 1
    })
    .await;
    assert_eq!(it.platform.members(RACK).await.len(), 1);
    let shown = it.scim.get(&at(&id)).await.expect(200);
    assert_eq!(shown["members"].as_array().unwrap().len(), 2);
    it.scim
        .patch(
            &at(&id),
            json!({"op": "Remove", "path": "members", "value": [{"value": nobody}]}),
        )
        .await
        .expect(204);
    assert_eq!(members(&it, &id, &ids).await, [0]);
}

#[tokio::test]
async fn an_additive_replace_takes_nobody_out() {
    let it = Setup::default().identity(&["--members-replace=additive"]).start().await;
    let ids: [String; 3] = users(&it).await;
    let id = it.scim.create_group(RACK, &ids[..1]).await;
    for (operation, expected) in [
        (
            json!({"op": "replace", "path": "members", "value": [{"value": ids[1]}]}),
            &[0, 1][..],
        ),
        (
            json!({"op": "replace", "value": {"members": [{"value": ids[2]}]}}),
            &[0, 1, 2],
        ),
        (json!({"op": "replace", "path": "members", "value": []}), &[0, 1, 2]),
        (
            json!({"op": "Remove", "path": "members", "value": [{"value": ids[0]}]}),
            &[1, 2],
        ),
    ] {
        it.scim.patch(&at(&id), operation.clone()).await.expect(204);
        assert_eq!(members(&it, &id, &ids).await, expected, "{operation}");
    }
}

#[tokio::test]
async fn a_member_whose_account_comes_later_is_put_in_then() {
    let it = Deployment::start().await;
    let early = it.scim.create_user("user0@kestrel.example").await;
    it.settled().await;
    it.platform
        .fault(json!({"method": "CDirectoryService/CreateUser", "fault": "unavailable"}))
        .await;
    let late = it.scim.create_user("user1@kestrel.example").await;
    let id = it.scim.create_group(RACK, &[&early, &late]).await;
    it.delivered(&id, |delivery| delivery.pending_members == 1).await;
    assert_eq!(
        it.platform.members(RACK).await,
        ["user0@kestrel.example".to_owned()].into(),
        "nobody waits for it (P4)"
    );
    it.platform.no_faults().await;
    assert_eq!(members(&it, &id, &[early, late]).await, [0, 1]);
}

/// Members of another's hand stay, members that another took out come back on request only.
#[tokio::test]
async fn members_of_another_hand_are_left_alone() {
    let it = Deployment::start().await;
    let ids: [String; 2] = users(&it).await;
    let id = it.scim.create_group(RACK, &ids[..1]).await;
    it.settled().await;
    let stranger = it.platform.strangers(&["stranger@kestrel.example"]).await.remove(0);
    let platform_id = it.platform.group(RACK).await["ID"].as_str().unwrap().to_owned();
    it.platform.put_in(&platform_id, &stranger).await;
    it.scim
        .patch(
            &at(&id),
            json!({"op": "replace", "path": "members", "value": [{"value": ids[1]}]}),
        )
        .await
        .expect(204);
    it.settled().await;
    let expected = ["stranger@kestrel.example", "user1@kestrel.example"]
        .map(str::to_owned)
        .into();
    assert_eq!(it.platform.members(RACK).await, expected);
}

#[tokio::test]
async fn one_member_that_is_refused_does_not_hold_up_the_others() {
    let it = Deployment::start().await;
    let ids: [String; 3] = users(&it).await;
    it.settled().await;
    // Gone by hand: the Platform does not know the account any more, and fails the whole batch.
    let gone = it.platform.account("user1@kestrel.example").await["ID"]
        .as_str()
        .unwrap()
        .to_owned();
    it.platform
        .control(http::Method::DELETE, &format!("users/{gone}"), &Value::Null)
        .await;
    let id = it.scim.create_group(RACK, &ids).await;
    it.settled().await;
    let refused = it.refused().await;
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (refused[0].resource_id.as_str(), refused[0].pending_members),
        (id.as_str(), 1)
    );
    assert!(
        refused[0].last_error.as_deref().unwrap().contains(&ids[1]),
        "{refused:?}"
    );
    assert_eq!(it.platform.members(RACK).await.len(), 2);
    // The account is made anew on request, and the group follows by itself.
    it.platform.fault(fault("*", "throttle", 1)).await;
    it.retry(&ids[1]).await;
    assert_eq!(members(&it, &id, &ids).await, [0, 1, 2]);
    assert_eq!(it.refused().await, []);
}
