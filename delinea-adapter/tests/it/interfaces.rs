//! Two interfaces beside each other: each object stays with the one that made it, nothing is doubled where one gives way to the
//! other, and an account is known in both.

use proto::adapter::v1::{ApplyGroupRequest, ApplyUserRequest, ListPlatformGroupMembersRequest, RemovalMode};
use proto::{error::ErrorReason, resource::v1::User};
use serde_json::json;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::Instant,
};
use tonic::Code;

use crate::world::{
    World, anna, failed, fresh, intended, intents, linked, linked_group, reason, removal, says_not_created, wanted,
    wanted_group,
};

const POST_USERS: &str = "scim:POST /Users";

fn named(name: &str) -> User {
    User {
        user_name: Some(name.to_owned()),
        ..anna()
    }
}

#[tokio::test]
async fn where_creating_turns_out_not_to_be_there_the_other_interface_serves_from_the_next_try_on() {
    let world = World::new().await;
    world
        .becomes(json!({"scim": true, "scim_ids": "own", "hidden": ["CDirectoryService/CreateUser"]}))
        .await;
    let by_rpc = world.sim("POST", "users", json!({"Name": "early@example.com"})).await;
    assert!(by_rpc.is_array());
    let name = world.apply_user(wanted(&anna())).await.unwrap().intent();
    let moved = world.apply_user(fresh(&anna(), &name)).await.unwrap_err();
    assert_eq!(
        (moved.code(), reason(&moved).0),
        (Code::Unavailable, ErrorReason::PlatformNotExposed)
    );
    assert!(says_not_created(&moved), "nothing was done, so the intent is void");
    let name = world.apply_user(wanted(&anna())).await.unwrap().intent();
    let link = world
        .apply_user(fresh(&anna(), &name))
        .await
        .unwrap()
        .applied()
        .link
        .unwrap();
    assert_eq!(link.backend, "scim");
    assert!(link.platform_id.starts_with("scim:"));
    world.account("anna@example.com").await;
}

#[tokio::test]
async fn the_same_of_groups() {
    let world = World::new().await;
    let hidden = ["Roles/StoreRole", "SaasManage/StoreRole"];
    world
        .becomes(json!({"scim": true, "scim_ids": "own", "hidden": hidden}))
        .await;
    let request = |name: &str| ApplyGroupRequest {
        intents: Some(intents(&[name], Some(name))),
        ..wanted_group(name)
    };
    let name = world.apply_group(wanted_group("Rack")).await.unwrap().intent();
    let moved = world.apply_group(request(&name)).await.unwrap_err();
    assert_eq!(moved.code(), Code::Unavailable, "{moved:?}");
    let name = world.apply_group(wanted_group("Rack")).await.unwrap().intent();
    let link = world.apply_group(request(&name)).await.unwrap().applied().link.unwrap();
    assert_eq!(link.backend, "scim");
}

#[tokio::test]
async fn a_linked_account_stays_with_its_interface() {
    let world = World::new().await;
    let id = world.provision(&anna()).await;
    world
        .becomes(json!({"scim": true, "hidden": ["CDirectoryService/*"]}))
        .await;
    let other = User {
        display_name: Some("Other".to_owned()),
        ..anna()
    };
    let refused = failed(world.apply_user(linked(&other, &id)).await);
    assert_eq!(refused, (Code::FailedPrecondition, ErrorReason::PlatformNotExposed));
    assert_eq!(
        world.calls("scim:PATCH /Users/{id}").await,
        0,
        "it is not written by the other one"
    );
}

#[tokio::test]
async fn an_account_whose_answer_is_lost_at_the_endpoint_is_found_and_not_doubled() {
    let world = World::of("scim-only", &["--directory-policy=create_local"]).await;
    world
        .fault(json!({"method": POST_USERS, "fault": "lost_answer", "times": 1}))
        .await;
    let name = world.apply_user(wanted(&anna())).await.unwrap().intent();
    let found = world.apply_user(fresh(&anna(), &name)).await.unwrap().found();
    assert_eq!(found.intent, name);
    let applied = world.apply_found_user(intended(&anna(), &[&name])).await.unwrap();
    assert_eq!(applied.link.unwrap().platform_id, found.platform_id);
    assert_eq!(world.accounts("anna@example.com").await.len(), 1);
}

#[tokio::test]
async fn the_endpoints_refusals_carry_its_words() {
    let world = World::of("scim-only", &["--directory-policy=create_local"]).await;
    world.strangers(json!([{"Name": "anna@example.com"}])).await;
    let taken = world.apply_user(wanted(&anna())).await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists, "{taken:?}");
    let id = world.provision(&named("bo@example.com")).await;
    let renamed = world
        .apply_user(linked(&named("anna@example.com"), &id))
        .await
        .unwrap_err();
    assert_eq!(renamed.code(), Code::AlreadyExists, "{renamed:?}");
    world
        .fault(json!({"method": "scim:PATCH /Users/{id}", "fault": "unavailable", "retry_after_s": 3, "times": 1}))
        .await;
    let other = User {
        display_name: Some("Other".to_owned()),
        ..named("bo@example.com")
    };
    let busy = world.apply_user(linked(&other, &id)).await.unwrap_err();
    assert_eq!(busy.code(), Code::ResourceExhausted, "{busy:?}");
    // Gone by another hand: it is made anew by the protocol, never taken for somebody else's.
    let gone = ApplyUserRequest {
        link: linked(&other, &id).link,
        ..removal(RemovalMode::Remove)
    };
    for _ in 0..2 {
        world.apply_user(gone.clone()).await.unwrap().applied();
        assert!(world.accounts("bo@example.com").await.is_empty());
    }
}

#[tokio::test]
async fn members_are_known_by_their_ids_in_the_groups_interface() {
    for (ids, most) in [("own", u64::MAX), ("same", 10)] {
        let world = World::of("no-role-writes", &[]).await;
        world.becomes(json!({"scim_ids": ids})).await;
        let mut people = Vec::new();
        for n in 0..8 {
            people.push(world.provision(&named(&format!("p{n}@example.com"))).await);
        }
        world.sim("DELETE", "calls", serde_json::Value::Null).await;
        let group = world.provision_group("Rack", &people).await;
        assert!(group.starts_with("scim:"), "{group}");
        let lookups = world.calls("scim:GET /Users").await;
        assert!(lookups <= most, "{ids}: {lookups} look-ups for 8 members");

        // And a list of members knows them by the ids that their links have.
        let request = ListPlatformGroupMembersRequest {
            tenant: "default".to_owned(),
            platform_id: group.clone(),
        };
        let stream = world.client.clone().list_platform_group_members(request).await;
        let mut listed = stream.unwrap().into_inner().message().await.unwrap().unwrap().user_ids;
        listed.sort_unstable();
        people.sort_unstable();
        assert_eq!(listed, people, "{ids}");

        let out = ApplyGroupRequest {
            members_out: people[..7].to_vec(),
            ..linked_group("Rack", &group)
        };
        assert!(
            world
                .apply_group(out)
                .await
                .unwrap()
                .applied()
                .refused_members
                .is_empty()
        );
        let state = world.state().await;
        let rack = state["groups"]
            .as_array()
            .unwrap()
            .iter()
            .find(|group| group["Name"] == "Rack");
        assert_eq!(rack.unwrap()["Members"].as_array().unwrap().len(), 1, "{ids}");
    }
}

/// The other way round: accounts at the endpoint, groups by RPC.
#[tokio::test]
async fn members_of_the_endpoint_are_put_into_groups_of_the_other_interface() {
    let world = World::with(&["--user-backend=scim", "--group-backend=roles"]).await;
    world.becomes(json!({"scim": true, "scim_ids": "own"})).await;
    let people = [
        world.provision(&named("ada@example.com")).await,
        world.provision(&named("bo@example.com")).await,
    ];
    assert!(people.iter().all(|id| id.starts_with("scim:")), "{people:?}");
    let group = world.provision_group("Rack", &people).await;
    assert!(!group.starts_with("scim:"), "{group}");
    let request = ListPlatformGroupMembersRequest {
        tenant: "default".to_owned(),
        platform_id: group,
    };
    let stream = world.client.clone().list_platform_group_members(request).await;
    let mut listed = stream.unwrap().into_inner().message().await.unwrap().unwrap().user_ids;
    listed.sort_unstable();
    let mut people = people.to_vec();
    people.sort_unstable();
    assert_eq!(listed, people);
}

/// Somebody who was removed is no member any more, whatever the endpoint says to whoever wants to take them out.
#[tokio::test]
async fn who_was_removed_is_out_and_refuses_no_group() {
    for (profile, flags) in [
        ("scim-only", &["--directory-policy=create_local"][..]),
        ("no-role-writes", &[]),
    ] {
        let world = World::of(profile, flags).await;
        let stays = world.provision(&named("stays@example.com")).await;
        let leaves = world.provision(&named("leaves@example.com")).await;
        let group = world.provision_group("Rack", &[stays.clone(), leaves.clone()]).await;
        let gone = ApplyUserRequest {
            link: linked(&anna(), &leaves).link,
            ..removal(RemovalMode::Remove)
        };
        world.apply_user(gone).await.unwrap().applied();
        let out = ApplyGroupRequest {
            members_out: vec![leaves.clone()],
            ..linked_group("Rack", &group)
        };
        let applied = world.apply_group(out).await.unwrap().applied();
        assert_eq!(applied.refused_members, [], "{profile}");
        // Put in, the same account is at fault, and told.
        let back_in = ApplyGroupRequest {
            members_in: vec![leaves.clone()],
            ..linked_group("Rack", &group)
        };
        let applied = world.apply_group(back_in).await.unwrap().applied();
        assert_eq!(applied.refused_members.len(), 1, "{profile}");
    }
}

#[tokio::test]
async fn a_manager_is_named_as_the_accounts_own_interface_names_him() {
    let world = World::of("no-role-writes", &[]).await;
    let id = world.provision(&anna()).await;
    let boss = named("boss@example.com");
    world.becomes(json!({"hidden": ["CDirectoryService/CreateUser"]})).await;
    let name = world.apply_user(wanted(&boss)).await.unwrap().intent();
    world.apply_user(fresh(&boss, &name)).await.unwrap_err();
    let boss = world.provision(&boss).await;
    assert!(boss.starts_with("scim:"), "{boss}");
    let request = ApplyUserRequest {
        manager_platform_id: Some(boss),
        ..linked(&anna(), &id)
    };
    world.apply_user(request).await.unwrap().applied();
    let boss = world.account("boss@example.com").await["ID"].clone();
    assert_eq!(world.account("anna@example.com").await["ReportsTo"], boss);
}

/// What is created by the other interface stays there: that must not come of a mishap.
#[tokio::test]
async fn one_bare_404_moves_nothing_to_the_other_interface() {
    let world = World::new().await;
    world
        .becomes(json!({"scim": true, "scim_ids": "own", "role_writes": "roles"}))
        .await;
    for method in ["CDirectoryService/CreateUser", "Roles/StoreRole"] {
        world
            .fault(json!({"method": method, "fault": "bare404", "times": 1}))
            .await;
    }
    let user = world.provision(&anna()).await;
    let group = world.provision_group("Rack", std::slice::from_ref(&user)).await;
    assert!(
        !user.starts_with("scim:") && !group.starts_with("scim:"),
        "{user} {group}"
    );
    let next = world.provision(&named("bo@example.com")).await;
    assert!(!next.starts_with("scim:"), "{next}");
}

/// By which interface a tenant is served must not hang on one answer that did not come.
#[tokio::test]
async fn a_question_without_a_verdict_chooses_no_interface() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("profile.json");
    for method in ["CDirectoryService/ChangeUser", "scim:GET /ServiceProviderConfig"] {
        let faults = json!([{"method": method, "fault": "error", "times": 2}]);
        let profile = json!({"extends": "scim-only", "faults": faults});
        std::fs::write(&file, profile.to_string()).unwrap();
        let world = World::of(file.to_str().unwrap(), &["--directory-policy=create_local"]).await;
        let id = world.provision(&anna()).await;
        assert!(id.starts_with("scim:"), "{method}: {id}");

        // What was found stays in force while the tenant gives no verdict.
        world.fault(json!({"method": method, "fault": "error"})).await;
        world.becomes(json!({})).await;
        let id = world.provision(&named("bo@example.com")).await;
        assert!(id.starts_with("scim:"), "{method}: {id}");
    }
}

#[tokio::test]
async fn what_cannot_be_told_of_groups_holds_up_no_user() {
    let world = World::new().await;
    for method in ["Roles/UpdateRole", "SaasManage/AddUsersAndGroupsToRole"] {
        world.fault(json!({"method": method, "fault": "html"})).await;
    }
    let restarted = World::with(&[&format!("--platform-url={}", world.platform.url())]).await;
    let id = restarted.provision(&anna()).await;
    assert!(!id.is_empty());
    let later = restarted.apply_group(wanted_group("Rack")).await.unwrap_err();
    assert_eq!(later.code(), Code::Unavailable, "{later:?}");
    world.no_faults().await;
    let began = Instant::now();
    while let Err(status) = restarted.apply_group(wanted_group("Rack")).await {
        assert!(began.elapsed() < Duration::from_secs(30), "{status:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn groups_are_written_by_what_the_settings_say() {
    for (setting, method, backend) in [
        ("roles", "Roles/StoreRole", "rpc"),
        ("saas", "SaasManage/StoreRole", "rpc"),
        ("scim", "scim:POST /Groups", "scim"),
    ] {
        let world = World::with(&[&format!("--group-backend={setting}")]).await;
        world.becomes(json!({"scim": true})).await;
        let id = world.provision_group("Rack", &[]).await;
        assert_eq!(world.calls(method).await, 1, "{setting}");
        assert_eq!(id.starts_with("scim:"), backend == "scim", "{setting}");
    }
    let world = World::with(&["--group-backend=off"]).await;
    let off = world.apply_group(wanted_group("Rack")).await.unwrap_err();
    assert_eq!(off.code(), Code::FailedPrecondition);
    assert!(off.message().contains("GROUP_BACKEND"), "{}", off.message());
}

/// Whoever answers in the tenant's place must not get the token by sending us elsewhere.
#[tokio::test]
async fn a_redirect_is_never_followed_with_a_token() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = format!("http://{}/", elsewhere.local_addr().unwrap());
    for status in [301, 302, 303, 307, 308] {
        let tenant = redirecting(status, away.clone()).await;
        let world = World::with(&[&format!("--platform-url={tenant}")]).await;
        let later = world.apply_user(linked(&anna(), "7")).await.unwrap_err();
        assert_eq!(later.code(), Code::Unavailable, "{status}: {later:?}");
    }
    let came = tokio::time::timeout(Duration::from_millis(200), elsewhere.accept()).await;
    assert!(came.is_err(), "somebody followed a redirect");
}

/// A tenant that gives a token, and answers all else with a redirect.
async fn redirecting(status: u16, away: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let away = away.clone();
            tokio::spawn(async move {
                let mut asked = [0; 8192];
                let read = stream.read(&mut asked).await.unwrap_or_default();
                let is_token = String::from_utf8_lossy(&asked[..read]).contains("oauth2/token");
                let answer = if is_token {
                    let body = r#"{"access_token":"t","expires_in":3600}"#;
                    format!(
                        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    )
                } else {
                    format!(
                        "HTTP/1.1 {status} Away\r\nconnection: close\r\nlocation: {away}\r\ncontent-length: 0\r\n\r\n"
                    )
                };
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    url
}
