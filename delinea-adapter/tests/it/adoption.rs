//! Objects that were there before: refused, or taken over as the policy says, and never doubled.

use proto::{
    adapter::v1::{Adoption, ApplyGroupRequest, ApplyUserRequest},
    error::ErrorReason,
    resource::v1::User,
};
use serde_json::json;
use tonic::Code;

use crate::world::{
    World, anna, confirmed, failed, fresh, intended, linked, linked_group, reason, wanted, wanted_group,
};

fn adopting(name: &str, adoption: Adoption) -> ApplyUserRequest {
    let user = User {
        user_name: Some(name.to_owned()),
        ..anna()
    };
    ApplyUserRequest {
        adoption: adoption.into(),
        ..wanted(&user)
    }
}

#[tokio::test]
async fn an_account_is_adopted_as_the_policy_says() {
    let world = World::with(&["--protected-names=chief@example.com"]).await;
    let cases = [
        (json!({"Name": "plain@example.com"}), true, true),
        (json!({"Name": "program@example.com", "ServiceUser": true}), false, true),
        (json!({"Name": "chief@example.com"}), false, true),
        (json!({"Name": "fed@example.com", "SourceDs": "FDS"}), false, false),
    ];
    for (account, matching, listed) in cases {
        let id = world.strangers(account.clone()).await.remove(0);
        let name = account["Name"].as_str().unwrap();
        let written = world.writes().await;
        let policies = [
            (Adoption::Unspecified, false),
            (Adoption::Never, false),
            (Adoption::Matching, matching),
        ];
        for (adoption, taken) in policies.into_iter().chain([(Adoption::Listed, listed)]) {
            let answer = world.apply_user(adopting(name, adoption)).await;
            if taken {
                let applied = answer.unwrap().applied();
                assert!(applied.adopted, "{name} {adoption:?}");
                assert_eq!(applied.link.unwrap().platform_id, id);
                assert_eq!(world.account(name).await["DisplayName"], "Anna Berg");
                continue;
            }
            let status = answer.unwrap_err();
            let (why, details) = reason(&status);
            assert_eq!(
                (status.code(), why),
                (Code::AlreadyExists, ErrorReason::PlatformObjectExists),
                "{name}"
            );
            assert_eq!(details.metadata["platform_name"], name);
            // What is protected is not even looked at, so nobody knows its id.
            let known = details.metadata.get("platform_id");
            assert_eq!(known, Some(&id).filter(|_| !name.starts_with("chief")), "{name}");
            assert!(status.message().contains(name), "{}", status.message());
            assert_eq!(world.writes().await, written, "{name} {adoption:?}");
        }
    }
}

#[tokio::test]
async fn a_name_that_nothing_of_ours_may_have_is_refused_before_any_call() {
    let world = World::with(&["--protected-names=chief@example.com,Vault Admins"]).await;
    let calls = async || {
        let state = world.state().await;
        state["reads"].as_u64().unwrap() + state["writes"].as_u64().unwrap()
    };
    for name in ["SCIM-Gateway@example.com", "Chief@example.com"] {
        let refused = world.apply_user(adopting(name, Adoption::Matching)).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists);
        assert!(refused.message().contains(name), "{}", refused.message());
    }
    for name in ["everybody", "System Administrator", "vault admins"] {
        let refused = world.apply_group(wanted_group(name)).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists, "{name}");
    }
    assert_eq!(calls().await, 0);
    // Nor may what is ours get such a name.
    let id = world.provision(&anna()).await;
    let group = world.provision_group("Rack", &[]).await;
    let written = world.writes().await;
    for name in ["scim-gateway@example.com", "chief@example.com"] {
        let renamed = User {
            user_name: Some(name.to_owned()),
            ..anna()
        };
        assert_eq!(
            failed(world.apply_user(linked(&renamed, &id)).await).0,
            Code::AlreadyExists
        );
    }
    assert_eq!(
        failed(world.apply_group(linked_group("Everybody", &group)).await).0,
        Code::AlreadyExists
    );
    assert_eq!(world.writes().await, written);
}

#[tokio::test]
async fn the_caller_and_administrators_are_not_adopted() {
    let world = World::new().await;
    for adoption in [Adoption::Matching, Adoption::Listed] {
        let refused = failed(world.apply_user(adopting("scim-gateway@example.com", adoption)).await);
        assert_eq!(refused, (Code::AlreadyExists, ErrorReason::PlatformObjectExists));
    }
    let state = world.state().await;
    let users = state["users"].as_array().unwrap();
    let admin = users
        .iter()
        .find(|user| user["ID"] == platform_simulator::ADMIN_ID)
        .unwrap();
    let name = admin["Name"].as_str().unwrap();
    let refused = failed(world.apply_user(adopting(name, Adoption::Matching)).await);
    assert_eq!(refused, (Code::AlreadyExists, ErrorReason::PlatformObjectExists));
    assert_eq!(world.writes().await, 0);
}

#[tokio::test]
async fn what_stands_under_an_intent_is_ours_whatever_the_policy() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    let moved = User {
        user_name: Some("anna.holm@example.com".to_owned()),
        ..anna()
    };
    // Known by its name alone, it must be known by the new one before it gets it: the call may fail in between.
    let old = "anna@example.com";
    let found = world.apply_user(intended(&moved, &[old])).await.unwrap().found();
    assert_eq!(
        (&found.platform_id, &*found.platform_name, &*found.intent),
        (&id, old, old)
    );
    let mut request = intended(&moved, &[old]);
    request.intents = Some(confirmed(&request.intents.unwrap(), &found));
    let intent = world.apply_user(request.clone()).await.unwrap().intent();
    assert_eq!(intent, "anna.holm@example.com");
    assert_eq!(world.account(old).await["ID"], id, "nothing is written before");
    request.intents.as_mut().unwrap().names.push(intent.clone());
    request.intents.as_mut().unwrap().fresh_name = Some(intent);
    let applied = world.apply_user(request).await.unwrap().applied();
    assert!(!applied.adopted);
    assert_eq!(applied.link.unwrap().platform_id, id);
    assert_eq!(
        world.account("anna.holm@example.com").await["ID"],
        id,
        "it moved on to the name wanted now"
    );
}

#[tokio::test]
async fn a_name_taken_after_it_was_found_free_is_somebody_elses() {
    let world = World::new().await;
    let name = world.apply_user(wanted(&anna())).await.unwrap().intent();
    let id = world.strangers(json!({"Name": name})).await.remove(0);
    let status = world.apply_user(fresh(&anna(), &name)).await.unwrap_err();
    let (why, details) = reason(&status);
    assert_eq!(
        (status.code(), why),
        (Code::AlreadyExists, ErrorReason::PlatformObjectExists)
    );
    assert_eq!(details.metadata["platform_id"], id);
    assert_eq!(world.account(&name).await["DisplayName"], "", "it was left alone");
    assert!(status.message().contains("is already in use"), "{}", status.message());
}

/// An administrator by way of another group, by a group so large that it is not read to its end, or by what cannot be told.
#[tokio::test]
async fn matching_takes_nobody_who_may_be_an_administrator() {
    let taken = async |world: &World, name: &str| {
        let answer = world.apply_user(adopting(name, Adoption::Matching)).await;
        answer
            .map(|answer| answer.applied().adopted)
            .map_err(|status| reason(&status).0)
    };
    let exists = Err(ErrorReason::PlatformObjectExists);
    let world = World::with(&["--page-size=2"]).await;
    world.profile(json!({"full_count": false})).await;
    let people: Vec<_> = (0..7).map(|n| json!({"Name": format!("p{n}@example.com")})).collect();
    let ids = world.strangers(json!(people)).await;
    for name in ["Inner", "Outer"] {
        world.sim("POST", "groups", json!({"ID": name, "Name": name})).await;
    }
    let into = async |group: &str, kind: &str, ids: &[String]| {
        let members: Vec<_> = ids.iter().map(|id| json!({"Guid": id, "Type": kind})).collect();
        world
            .sim("POST", &format!("groups/{group}/members"), json!(members))
            .await;
    };
    into("sysadmin", "Role", &["Outer".to_owned()]).await;
    into("Outer", "Role", &["Inner".to_owned(), "sysadmin".to_owned()]).await;
    into("Inner", "User", &ids[..5]).await;
    world
        .fault(json!({"method": "UserMgmt/GetUsersRoles*", "fault": "bare404"}))
        .await;
    for n in 0..5 {
        assert_eq!(taken(&world, &format!("p{n}@example.com")).await, exists, "{n}");
    }
    assert_eq!(taken(&world, "p5@example.com").await, Ok(true));
    world.profile(json!({"service_user_column": false})).await;
    assert_eq!(taken(&world, "p6@example.com").await, Ok(true), "its attributes tell");
}

#[tokio::test]
async fn a_group_is_adopted_as_the_policy_says() {
    let world = World::new().await;
    let member = world.provision(&anna()).await;
    world
        .sim(
            "POST",
            "groups",
            json!([{"Name": "Empty"}, {"Name": "Full", "Members": [member]}]),
        )
        .await;
    let cases = [
        ("empty", true, true),
        ("Full", false, true),
        ("Everybody", false, false),
    ];
    for (name, matching, listed) in cases {
        for (adoption, taken) in [
            (Adoption::Never, false),
            (Adoption::Matching, matching),
            (Adoption::Listed, listed),
        ] {
            let request = ApplyGroupRequest {
                adoption: adoption.into(),
                ..wanted_group(name)
            };
            let answer = world.apply_group(request).await;
            if taken {
                assert!(answer.unwrap().applied().adopted, "{name} {adoption:?}");
            } else {
                assert_eq!(
                    failed(answer),
                    (Code::AlreadyExists, ErrorReason::PlatformObjectExists),
                    "{name} {adoption:?}"
                );
            }
        }
    }
}
