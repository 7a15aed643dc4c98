//! One life of accounts and a group, over each kind of tenant: whatever interfaces it has, the same comes of it.

use std::time::Duration;

use proto::{
    adapter::v1::{ApplyGroupRequest, ApplyUserRequest, GroupApplied, Intents, RemovalMode, UserApplied},
    resource::v1::User,
};
use serde_json::{Value, json};
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::world::{
    Answer, World, anna, confirmed, group_removal, link, linked, linked_group, removal, says_not_created, wanted,
    wanted_group,
};

/// No tenant fails for so long.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_modern_tenant() {
    let life = Life::of("modern", &[]).await;
    assert_eq!(life.backends, ["rpc", "rpc"]);
    assert_eq!(life.world.calls("SaasManage/AddUsersAndGroupsToRole").await, 0);
}

#[tokio::test]
async fn a_tenant_whose_groups_are_written_by_scim_alone() {
    let life = Life::of("no-role-writes", &[]).await;
    assert_eq!(life.backends, ["rpc", "scim"]);
}

#[tokio::test]
async fn a_tenant_of_the_years_before() {
    let life = Life::of("heritage", &[]).await;
    assert_eq!(life.backends, ["rpc", "rpc"]);
    assert_eq!(
        life.world.calls("Roles/UpdateRole").await,
        0,
        "what is not there is not called"
    );
    assert!(life.world.calls("CDirectoryService/ChangeUserState").await > 0);
}

#[tokio::test]
async fn a_tenant_with_scim_alone() {
    // Nobody can ask it for its federations.
    let life = Life::of("scim-only", &["--directory-policy=create_local"]).await;
    assert_eq!(life.backends, ["scim", "scim"]);
    assert_eq!(life.world.calls("CDirectoryService/ChangeUser").await, 0);
}

#[tokio::test]
async fn a_tenant_with_a_federation() {
    let life = Life::of("federated", &["--directory-policy=create_local"]).await;
    assert_eq!(life.backends, ["rpc", "rpc"]);
}

#[tokio::test]
async fn a_tenant_where_everything_goes_wrong_now_and_then() {
    let life = Life::of("hostile", &["--read-back-timeout=5s", "--platform-timeout=5s"]).await;
    assert_eq!(life.backends, ["rpc", "rpc"]);
}

/// A tenant, and what came of the life.
struct Life {
    world: World,
    /// What wrote the account, and what the group.
    backends: [String; 2],
}

impl Life {
    async fn of(profile: &str, arguments: &[&str]) -> Self {
        Box::pin(Self::live(profile, arguments)).await
    }

    async fn live(profile: &str, arguments: &[&str]) -> Self {
        let world = World::of(profile, arguments).await;
        let strangers = [json!({"Name": "stranger@example.com", "Mail": "s@example.com", "DisplayName": "Stranger"})];
        world.strangers(json!(strangers)).await;

        let account = deliver_user(&world, wanted(&anna())).await.unwrap().link.unwrap();
        let id = account.platform_id.as_str();
        let seen = world.account("anna@example.com").await;
        assert_eq!(
            (&seen["Mail"], &seen["DisplayName"]),
            (&json!("anna.berg@example.com"), &json!("Anna Berg"))
        );

        let other = User {
            display_name: Some("Anna Adler".to_owned()),
            phone_numbers: Vec::new(),
            ..anna()
        };
        deliver_user(&world, linked(&other, id)).await.unwrap();
        let seen = world.account("anna@example.com").await;
        assert_eq!(
            (&seen["DisplayName"], &seen["OfficeNumber"]),
            (&json!("Anna Adler"), &json!(""))
        );

        for active in [false, true, false] {
            let user = User {
                active: Some(active),
                ..other.clone()
            };
            deliver_user(&world, linked(&user, id)).await.unwrap();
            assert_eq!(
                world.account("anna@example.com").await["State"] == "None",
                active,
                "{profile}"
            );
        }
        deliver_user(&world, linked(&other, id)).await.unwrap();

        let renamed = User {
            user_name: Some("anna.adler@example.com".to_owned()),
            ..other.clone()
        };
        deliver_user(&world, linked(&renamed, id)).await.unwrap();
        world.account("anna.adler@example.com").await;

        // Nobody takes what is somebody else's.
        let stranger = User {
            user_name: Some("stranger@example.com".to_owned()),
            ..anna()
        };
        let taken = deliver_user(&world, wanted(&stranger)).await.unwrap_err();
        assert_eq!(taken.code(), Code::AlreadyExists, "{taken:?}");

        let group = Self::group(&world, &account.platform_id).await;
        deliver_user(
            &world,
            ApplyUserRequest {
                link: Some(link(id)),
                ..removal(RemovalMode::Remove)
            },
        )
        .await
        .unwrap();
        assert!(world.accounts("anna.adler@example.com").await.is_empty());
        world.account("stranger@example.com").await;
        assert_eq!(world.state().await["caller_edits"], 0);
        Self {
            world,
            backends: [account.backend, group],
        }
    }

    /// The group's part of it.
    async fn group(world: &World, anna: &str) -> String {
        let bo = User {
            user_name: Some("bo@example.com".to_owned()),
            ..crate::world::anna()
        };
        let bo = deliver_user(world, wanted(&bo))
            .await
            .unwrap()
            .link
            .unwrap()
            .platform_id;
        let both = [anna.to_owned(), bo.clone()];
        let nobody = "5ca1ab1e-dead-4000-8000-000000000000".to_owned();
        let applied = deliver_group(
            world,
            ApplyGroupRequest {
                members_in: both.to_vec(),
                ..wanted_group("Rack Operators")
            },
        )
        .await
        .unwrap();
        assert!(applied.refused_members.is_empty(), "{applied:?}");
        let group = applied.link.unwrap();
        let id = group.platform_id.as_str();
        assert_eq!(
            members(world, "Rack Operators").await,
            ["anna.adler@example.com", "bo@example.com"]
        );

        // One who does not exist keeps nobody else out.
        let refused = deliver_group(
            world,
            ApplyGroupRequest {
                members_in: vec![nobody.clone(), bo.clone()],
                members_out: vec![anna.to_owned()],
                ..linked_group("Rack Operators", id)
            },
        )
        .await
        .unwrap()
        .refused_members;
        assert_eq!(
            refused.iter().map(|member| &member.platform_id).collect::<Vec<_>>(),
            [&nobody]
        );
        assert_eq!(members(world, "Rack Operators").await, ["bo@example.com"]);

        deliver_group(world, linked_group("Racks", id)).await.unwrap();
        assert_eq!(members(world, "Racks").await, ["bo@example.com"]);
        deliver_group(world, group_removal(id)).await.unwrap();
        assert!(groups(world).await.iter().all(|group| group["Name"] != "Racks"));
        group.backend
    }
}

async fn groups(world: &World) -> Vec<Value> {
    world.state().await["groups"].as_array().unwrap().clone()
}

/// The login names of a group's members, sorted.
async fn members(world: &World, group: &str) -> Vec<String> {
    let state = world.state().await;
    let named = |list: &str, key: &str, value: &Value| {
        let found = state[list]
            .as_array()
            .unwrap()
            .iter()
            .find(|entry| &entry[key] == value);
        found.unwrap_or_else(|| panic!("{list} have no {value}")).clone()
    };
    let group = named("groups", "Name", &json!(group));
    let names = group["Members"].as_array().unwrap().iter().map(|member| {
        let user = named("users", "ID", &member["Guid"]);
        user["Name"].as_str().unwrap().to_owned()
    });
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

/// Delivers as identity-service does: again after what is *later*, with intents on record.
async fn deliver_user(world: &World, request: ApplyUserRequest) -> Result<UserApplied, Status> {
    let mut request = request;
    let began = Instant::now();
    loop {
        match world.apply_user(request.clone()).await {
            Ok(Answer::Applied(applied)) => return Ok(applied),
            Ok(Answer::IntentRequired(name)) => request.intents = Some(with(request.intents.take(), name)),
            Ok(Answer::Found(found)) => {
                request.intents = Some(confirmed(&request.intents.unwrap_or_default(), &found));
            }
            Ok(Answer::Planned(planned)) => panic!("{planned:?}"),
            Err(status) => request.intents = later(status, request.intents.take(), began).await?,
        }
    }
}

/// The same for a group.
async fn deliver_group(world: &World, request: ApplyGroupRequest) -> Result<GroupApplied, Status> {
    let mut request = request;
    let began = Instant::now();
    loop {
        match world.apply_group(request.clone()).await {
            Ok(Answer::Applied(applied)) => return Ok(applied),
            Ok(Answer::IntentRequired(name)) => request.intents = Some(with(request.intents.take(), name)),
            Ok(Answer::Found(found)) => {
                request.intents = Some(confirmed(&request.intents.unwrap_or_default(), &found));
            }
            Ok(Answer::Planned(planned)) => panic!("{planned:?}"),
            Err(status) => request.intents = later(status, request.intents.take(), began).await?,
        }
    }
}

fn with(intents: Option<Intents>, name: String) -> Intents {
    let mut intents = intents.unwrap_or_default();
    intents.fresh_name = Some(name.clone());
    if !intents.names.contains(&name) {
        intents.names.push(name);
    }
    intents
}

/// The intents of the next try; an error where another try is of no use.
async fn later(status: Status, intents: Option<Intents>, began: Instant) -> Result<Option<Intents>, Status> {
    let is_later = matches!(status.code(), Code::Unavailable | Code::ResourceExhausted);
    if !is_later || began.elapsed() > PATIENCE {
        return Err(status);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    if says_not_created(&status) {
        return Ok(None);
    }
    Ok(intents.map(|intents| Intents {
        fresh_name: None,
        ..intents
    }))
}
