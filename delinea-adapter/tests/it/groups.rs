//! Groups and their members.

use proto::{adapter::v1::ApplyGroupRequest, error::ErrorReason, resource::v1::User};
use serde_json::{Value, json};
use tonic::Code;

use crate::world::{World, anna, failed, fault, group_removal, intents, linked_group, reason, wanted_group};

const UPDATE: &str = "Roles/UpdateRole";

async fn people(world: &World, count: usize) -> Vec<String> {
    let users: Vec<_> = (0..count)
        .map(|n| json!({"Name": format!("p{n}@example.com")}))
        .collect();
    world.strangers(json!(users)).await
}

/// The ids of the group's members, sorted.
async fn members(world: &World, name: &str) -> Vec<String> {
    let state = world.state().await;
    let groups = state["groups"].as_array().unwrap();
    let group = groups.iter().find(|group| group["Name"] == name).unwrap();
    let guids = group["Members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["Guid"].as_str().unwrap().to_owned());
    let mut guids: Vec<_> = guids.collect();
    guids.sort();
    guids
}

fn sorted(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_group_is_created_filled_renamed_and_removed() {
    for profile in [
        json!({}),
        json!({"create_result": "object", "column_casing": "pascal", "role_id_underscores": false}),
    ] {
        let world = World::with(&["--member-batch=2"]).await;
        world.profile(profile).await;
        let people = people(&world, 5).await;
        let id = world.provision_group("Sales", &people).await;
        assert_eq!(members(&world, "Sales").await, sorted(&people));
        assert_eq!(world.calls(UPDATE).await, 3, "five members in batches of two");

        let change = ApplyGroupRequest {
            members_out: people[..1].to_vec(),
            ..linked_group("Sales & More", &id)
        };
        let applied = world.apply_group(change.clone()).await.unwrap().applied();
        assert_eq!(applied.link.unwrap().platform_id, id);
        assert_eq!(members(&world, "Sales & More").await, sorted(&people[1..]));
        let written = world.writes().await;
        world
            .apply_group(linked_group("Sales & More", &id))
            .await
            .unwrap()
            .applied();
        assert_eq!(world.writes().await, written, "nothing differs, nothing is written");
        world.apply_group(change).await.unwrap().applied();
        assert_eq!(
            members(&world, "Sales & More").await,
            sorted(&people[1..]),
            "out twice is out"
        );

        for _ in 0..2 {
            assert_eq!(
                world.apply_group(group_removal(&id)).await.unwrap().applied().link,
                None
            );
        }
        let state = world.state().await;
        assert!(!state["groups"].to_string().contains("Sales"), "{state}");
    }
}

#[tokio::test]
async fn bad_members_are_named_and_the_others_come_in() {
    for unknown in ["fail_batch", "fail_after_rest"] {
        let world = World::new().await;
        world.profile(json!({"unknown_principals": unknown})).await;
        let good = people(&world, 9).await;
        let mut all = good.clone();
        all.insert(3, "no-such-person".to_owned());
        all.push("nor-this-one".to_owned());
        let id = world.provision_group("Sales", &[]).await;
        let request = ApplyGroupRequest {
            members_in: all,
            members_out: vec!["who-is-gone".to_owned()],
            ..linked_group("Sales", &id)
        };
        let applied = world.apply_group(request).await.unwrap().applied();
        let refused: Vec<_> = applied
            .refused_members
            .iter()
            .map(|member| member.platform_id.as_str())
            .collect();
        assert_eq!(refused, ["no-such-person", "nor-this-one"], "{unknown}");
        assert!(applied.refused_members.iter().all(|member| !member.message.is_empty()));
        assert_eq!(members(&world, "Sales").await, sorted(&good), "{unknown}");
    }
}

#[tokio::test]
async fn members_that_are_passed_over_in_silence_are_not_confirmed() {
    let world = World::with(&["--read-back-timeout=200ms"]).await;
    world.profile(json!({"unknown_principals": "skip"})).await;
    let good = people(&world, 4).await;
    let id = world.provision_group("Sales", &good[..2]).await;
    let request = ApplyGroupRequest {
        members_in: vec![good[2].clone(), "no-such-person".to_owned(), good[3].clone()],
        members_out: vec![good[0].clone(), "who-is-gone".to_owned()],
        ..linked_group("Sales", &id)
    };
    let applied = world.apply_group(request).await.unwrap().applied();
    let refused: Vec<_> = applied
        .refused_members
        .iter()
        .map(|member| &*member.platform_id)
        .collect();
    assert_eq!(refused, ["no-such-person"]);
    assert_eq!(members(&world, "Sales").await, sorted(&good[1..]));
}

#[tokio::test]
async fn a_group_that_was_deleted_is_not_what_a_report_remembers() {
    let world = World::with(&["--query-caching=10"]).await;
    let id = world.provision_group("Sales", &[]).await;
    world.profile(json!({"query_lag_ms": 600_000})).await;
    // Fills the cache of both reports.
    let status = world.apply_group(linked_group("Sales", "nobody")).await.unwrap_err();
    assert_eq!(reason(&status).0, ErrorReason::PlatformObjectExists);
    world.sim("DELETE", &format!("groups/{id}"), Value::Null).await;
    assert_eq!(
        world.apply_group(linked_group("Sales", &id)).await.unwrap().intent(),
        "Sales"
    );
}

#[tokio::test]
async fn a_group_that_may_not_be_read_is_not_taken_for_gone() {
    let world = World::new().await;
    let id = world.provision_group("Sales", &[]).await;
    for (message, error_id) in [("You lack the permission", ""), ("Step up", "ChallengeRequired")] {
        let rule = json!({"method": "SaasManage/GetRole", "fault": "failure", "times": 1, "message": message,
            "error_id": error_id});
        world.fault(rule).await;
        let status = world.apply_group(linked_group("Sales", &id)).await.unwrap_err();
        assert!(status.message().contains(message), "{}", status.message());
    }
    world.apply_group(linked_group("Sales", &id)).await.unwrap().applied();
}

#[tokio::test]
async fn a_failing_batch_is_later_as_a_whole() {
    let world = World::new().await;
    let people = people(&world, 4).await;
    let id = world.provision_group("Sales", &[]).await;
    for (kind, why) in [
        ("lost_answer", ErrorReason::PlatformUnavailable),
        ("error", ErrorReason::PlatformUnavailable),
        ("throttle", ErrorReason::PlatformThrottled),
    ] {
        world.fault(fault(UPDATE, kind, 1)).await;
        let request = ApplyGroupRequest {
            members_in: people.clone(),
            ..linked_group("Sales", &id)
        };
        assert_eq!(failed(world.apply_group(request).await).1, why, "{kind}");
    }
    let request = ApplyGroupRequest {
        members_in: people.clone(),
        ..linked_group("Sales", &id)
    };
    assert_eq!(world.apply_group(request).await.unwrap().applied().refused_members, []);
    assert_eq!(members(&world, "Sales").await, sorted(&people));
}

#[tokio::test]
async fn a_refusal_of_the_group_itself_is_not_blamed_on_members() {
    let world = World::new().await;
    let people = people(&world, 4).await;
    let id = world.provision_group("Sales", &[]).await;
    world
        .fault(json!({"method": UPDATE, "fault": "failure", "message": "The role is frozen"}))
        .await;
    let request = ApplyGroupRequest {
        members_in: people,
        ..linked_group("Sales", &id)
    };
    let status = world.apply_group(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).0),
        (Code::FailedPrecondition, ErrorReason::PlatformRefused)
    );
    assert!(status.message().contains("The role is frozen"), "{}", status.message());
    assert_eq!(world.calls(UPDATE).await, 2, "one batch, and one look at the group");
}

#[tokio::test]
async fn group_writes_that_are_not_exposed_are_said_so() {
    let world = World::new().await;
    let made = world.sim("POST", "groups", json!({"Name": "Old"})).await;
    let id = made[0]["ID"].as_str().unwrap();
    world.profile(json!({"role_writes": "404"})).await;
    let name = world.apply_group(wanted_group("New")).await.unwrap().intent();
    let create = ApplyGroupRequest {
        intents: Some(intents(&[&name], Some(&name))),
        ..wanted_group("New")
    };
    let rename = linked_group("Newer", id);
    let fill = ApplyGroupRequest {
        members_in: people(&world, 1).await,
        ..linked_group("Old", id)
    };
    for request in [create, rename, fill, group_removal(id)] {
        let status = world.apply_group(request).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).0),
            (Code::FailedPrecondition, ErrorReason::PlatformNotExposed)
        );
        assert!(status.message().contains("does not expose"), "{}", status.message());
    }
}

#[tokio::test]
async fn the_other_family_of_calls_serves_where_one_is_missing() {
    let world = World::new().await;
    world.fault(json!([{"method": "Roles/*", "fault": "bare404"}])).await;
    let people = people(&world, 3).await;
    world.provision_group("Sales", &people).await;
    assert_eq!(members(&world, "Sales").await, sorted(&people));
}

#[tokio::test]
async fn a_group_whose_create_answer_is_lost_is_linked_and_not_doubled() {
    let world = World::new().await;
    let name = world.apply_group(wanted_group("Sales")).await.unwrap().intent();
    world.fault(fault("Roles/StoreRole", "lost_answer", 1)).await;
    let create = ApplyGroupRequest {
        intents: Some(intents(&[&name], Some(&name))),
        ..wanted_group("Sales")
    };
    let link = world.apply_found_group(create).await.unwrap().link.unwrap();
    world
        .apply_group(linked_group("Sales", &link.platform_id))
        .await
        .unwrap()
        .applied();
    assert_eq!(world.calls("Roles/StoreRole").await, 1);
}

/// The words that tell a refusal may stand in the name that it quotes.
#[tokio::test]
async fn a_name_that_reads_like_a_reason_is_none() {
    let world = World::new().await;
    for name in ["Challenge Team", "Not Found", "Permission denied"] {
        world.sim("POST", "groups", json!({"Name": name})).await;
        let create = ApplyGroupRequest {
            intents: Some(intents(&[name], Some(name))),
            ..wanted_group(name)
        };
        let status = world.apply_group(create).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).0),
            (Code::AlreadyExists, ErrorReason::PlatformObjectExists),
            "{name}"
        );
        assert!(status.message().contains("already exists"), "{}", status.message());
    }
}

#[tokio::test]
async fn a_group_keeps_off_taken_names_and_built_ins() {
    let world = World::new().await;
    let id = world.provision_group("Sales", &[]).await;
    world.sim("POST", "groups", json!({"Name": "Taken"})).await;
    let taken = failed(world.apply_group(linked_group("taken", &id)).await);
    assert_eq!(taken, (Code::AlreadyExists, ErrorReason::PlatformObjectExists));
    world.apply_group(linked_group("SALES", &id)).await.unwrap().applied();
    members(&world, "SALES").await;
    for request in [
        group_removal("Everybody"),
        linked_group("Mine", "Everybody"),
        group_removal("sysadmin"),
    ] {
        let refused = failed(world.apply_group(request).await);
        assert_eq!(refused, (Code::FailedPrecondition, ErrorReason::PlatformProtected));
    }
    let nameless = failed(world.apply_group(wanted_group(" ")).await);
    assert_eq!(nameless, (Code::InvalidArgument, ErrorReason::InvalidRequest));
    let member = world.provision(&User { ..anna() }).await;
    let both = ApplyGroupRequest {
        members_in: vec![member.clone()],
        members_out: vec![member],
        ..linked_group("SALES", &id)
    };
    assert_eq!(
        failed(world.apply_group(both).await),
        (Code::InvalidArgument, ErrorReason::InvalidRequest)
    );
    assert_eq!(world.state().await["caller_edits"], Value::from(0));
}
